package accesslog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/accesslog"
)

func TestUserTextStaysInItsField(t *testing.T) {
	var out bytes.Buffer
	l := accesslog.New(&out)
	nasty := "a\"}\n{\"status\":200,\x00\xff\u2028</script>"
	l.Write(&accesslog.Entry{Host: nasty, Path: nasty, UserAgent: nasty, Status: 404})
	l.Close(context.Background())
	if bytes.Count(out.Bytes(), []byte("\n")) != 1 {
		t.Fatalf("more than one line: %q", out.String())
	}
	var back accesslog.Entry
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back.Status != 404 {
		t.Errorf("got %+v, %v", back, err)
	}
}

func TestStuckReaderCostsLinesAndNoTime(t *testing.T) {
	r, w := io.Pipe()
	l := accesslog.New(w)
	for range 20000 {
		l.Write(&accesslog.Entry{Path: "/"})
	}
	if l.Dropped() == 0 {
		t.Error("nothing was dropped, though nobody reads")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	l.Close(ctx)
	r.Close()
	l.Write(&accesslog.Entry{})
	l.Close(context.Background())
}

// failing fails once.
type failing struct{ failed bool }

func (f *failing) Write(p []byte) (int, error) {
	if !f.failed {
		f.failed = true
		return 0, errors.New("disk full")
	}
	return len(p), nil
}

func TestFailedWriteDoesNotEndTheLog(t *testing.T) {
	f := &failing{}
	l := accesslog.New(f)
	l.Write(&accesslog.Entry{})
	l.Close(context.Background())
	if l.Dropped() == 0 {
		t.Error("the lost line was not counted")
	}
	var none *accesslog.Log
	none.Write(&accesslog.Entry{})
	none.Close(context.Background())
}
