package goproxy

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/admin"
)

func TestAPanicIsToldOfWithItsPlace(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	s := &shared{metrics: admin.NewMetrics(nil, func() uint64 { return 0 })}
	for range 3 {
		func() {
			defer func() { s.panicked(recover()) }()
			panicsHere()
		}()
	}
	if said := log.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "on purpose") || !strings.Contains(said, "panicsHere") {
		t.Errorf("the log says %q", said)
	}
}

func panicsHere() { panic("on purpose") }
