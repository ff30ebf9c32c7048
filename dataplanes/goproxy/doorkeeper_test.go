package goproxy

import (
	"bytes"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/admin"
)

func TestALackOfDescriptorsIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	d := &doorkeeper{Metrics: admin.NewMetrics(nil, func() uint64 { return 0 })}
	for range 100 {
		d.AcceptFailed(80, syscall.EMFILE)
	}
	if said := log.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "port=80") || !strings.Contains(said, "open files") {
		t.Errorf("the log says %q", said)
	}
}
