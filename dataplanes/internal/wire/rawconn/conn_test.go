package rawconn

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

func rawPair(t *testing.T) (ours *Conn, theirs *net.UnixConn) {
	t.Helper()
	a, b := socketPair(t)
	ours = New(a)
	if ours.raw == nil {
		t.Skip("this platform has no raw connections")
	}
	return ours, b.(*net.UnixConn)
}

// lender counts what it has lent.
type lender struct{ lent int }

var _ Lender = (*lender)(nil)

func (l *lender) Lend() []byte { l.lent++; return make([]byte, 64) }
func (l *lender) Return()      { l.lent-- }

func TestStale(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(ours *Conn, theirs *net.UnixConn)
		want bool
	}{
		"quiet":                  {func(*Conn, *net.UnixConn) {}, false},
		"half-closed":            {func(_ *Conn, theirs *net.UnixConn) { theirs.CloseWrite() }, true},
		"closed":                 {func(_ *Conn, theirs *net.UnixConn) { theirs.Close() }, true},
		"spoken to":              {func(_ *Conn, theirs *net.UnixConn) { theirs.Write([]byte("x")) }, true},
		"closed here":            {func(ours *Conn, _ *net.UnixConn) { ours.Close() }, true},
		"we have ended our side": {func(ours *Conn, _ *net.UnixConn) { ours.CloseWrite() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := rawPair(t)
			c.do(ours, theirs)
			if got := ours.Stale(); got != c.want {
				t.Errorf("stale is %t", got)
			}
		})
	}
}

// The poller has told of the end already by the time that the request comes:
// nothing would ever wake it again.
func TestAskSendsNothingToAnEndedBackend(t *testing.T) {
	ours, theirs := rawPair(t)
	theirs.CloseWrite()
	if _, err := ours.Ask([]byte("request"), make([]byte, 10)); err != ErrStale {
		t.Fatalf("error %v, want ErrStale", err)
	}
	ours.Close()
	if got, err := io.ReadAll(theirs); len(got) > 0 || err != nil {
		t.Errorf("the backend was sent %q (%v)", got, err)
	}
}

func TestAsk(t *testing.T) {
	ours, theirs := rawPair(t)
	go echoOnce(theirs, 7)
	in := make([]byte, 10)
	n, err := ours.Ask([]byte("request"), in)
	if err != nil || string(in[:n]) != "request" {
		t.Errorf("%q, %v", in[:n], err)
	}
}

func echoOnce(c io.ReadWriter, n int) {
	b := make([]byte, n)
	if _, err := io.ReadFull(c, b); err == nil {
		c.Write(b[:min(n, 100)])
	}
}

// A request that the socket does not take whole is sent in parts.
func TestAskInParts(t *testing.T) {
	ours, theirs := rawPair(t)
	ours.Conn.(*net.UnixConn).SetWriteBuffer(4 << 10)
	request := bytes.Repeat([]byte("0123456789"), mostRaw/10)
	go echoOnce(theirs, len(request))
	in := make([]byte, 200)
	n, err := ours.Ask(request, in)
	if err != nil || !bytes.Equal(in[:n], request[:100]) {
		t.Errorf("%d octets, %v", n, err)
	}
}

func TestWriteInParts(t *testing.T) {
	for _, size := range []int{10, mostRaw, 4 * mostRaw} {
		ours, theirs := rawPair(t)
		ours.Conn.(*net.UnixConn).SetWriteBuffer(4 << 10)
		out := bytes.Repeat([]byte("x"), size)
		got := make(chan int, 1)
		go func() {
			b, _ := io.ReadAll(theirs)
			got <- len(b)
		}()
		n, err := ours.Write(out)
		ours.Close()
		if err != nil || n != size || <-got != size {
			t.Errorf("%d of %d octets: %v", n, size, err)
		}
	}
}

func TestReadsEnd(t *testing.T) {
	ways := map[string]func(ours *Conn, in []byte) error{
		"read":  func(ours *Conn, in []byte) error { _, err := ours.Read(in); return err },
		"ask":   func(ours *Conn, in []byte) error { _, err := ours.Ask([]byte("x"), in); return err },
		"await": func(ours *Conn, _ []byte) error { _, err := ours.Await(&lender{}); return err },
	}
	for name, read := range ways {
		t.Run(name+" is aborted", func(t *testing.T) {
			ours, _ := rawPair(t)
			done := make(chan error, 1)
			go func() { done <- read(ours, make([]byte, 10)) }()
			ours.Abort()
			if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("error %v", err)
			}
		})
		t.Run(name+" sees the end", func(t *testing.T) {
			ours, theirs := rawPair(t)
			done := make(chan error, 1)
			go func() { done <- read(ours, make([]byte, 10)) }()
			if name == "ask" {
				io.ReadFull(theirs, make([]byte, 1))
			}
			theirs.CloseWrite()
			if err := <-done; err != io.EOF {
				t.Errorf("error %v, want io.EOF", err)
			}
		})
		t.Run(name+" is closed", func(t *testing.T) {
			ours, _ := rawPair(t)
			done := make(chan error, 1)
			go func() { done <- read(ours, make([]byte, 10)) }()
			ours.Close()
			if err := <-done; err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestDeadlineIsSetInSteps(t *testing.T) {
	start := time.Unix(1000, 0)
	d := &deadline{}
	for _, step := range []struct {
		after, timeout time.Duration
		want           bool
	}{
		{0, 8 * time.Second, true},
		{time.Second, 8 * time.Second, false},
		{1100 * time.Millisecond, 8 * time.Second, true},
		{1200 * time.Millisecond, time.Second, true},
		{1200 * time.Millisecond, 0, true},
		{1300 * time.Millisecond, 0, false},
		{1400 * time.Millisecond, time.Second, true},
	} {
		if got := d.due(start.Add(step.after), step.timeout); got != step.want {
			t.Errorf("after %s, for %s: %t", step.after, step.timeout, got)
		}
	}
}

// A connection that waits has lent nothing, and returns what it got when the
// other side ends.
func TestAwaitReturnsWhatItHasLent(t *testing.T) {
	ours, theirs := rawPair(t)
	l := &lender{}
	theirs.Write([]byte("hi"))
	if n, err := ours.Await(l); n != 2 || err != nil || l.lent != 1 {
		t.Fatalf("%d octets, %v, %d buffers", n, err, l.lent)
	}
	l.lent = 0
	theirs.Close()
	if _, err := ours.Await(l); err != io.EOF || l.lent != 0 {
		t.Errorf("%v, %d buffers", err, l.lent)
	}
}
