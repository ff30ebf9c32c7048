package h1

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// A connection that waits holds no buffer.
func TestIdleHoldsNoBuffer(t *testing.T) {
	a, theirs := socketPair(t)
	ours := rawconn.New(a)
	if !ours.Tells() {
		t.Skip("this platform has no raw connections")
	}
	s := &stream{from: ours}
	theirs.Write([]byte("hi"))
	if err := s.await(ours); err != nil || string(s.buffered()) != "hi" {
		t.Fatalf("%q, %v", s.buffered(), err)
	}
	s.take(2)
	s.release()
	theirs.Close()
	if err := s.await(ours); err != io.EOF || s.buf != nil {
		t.Errorf("%v, a buffer of %d octets", err, len(s.buf))
	}
}

// A client that no longer reads does not hold its connection, nor the backend's.
func TestClientStopsReading(t *testing.T) {
	eachWay(t, func(t *testing.T, wrap func(net.Conn) net.Conn) {
		t.Helper()
		p := newProxy(t, backend(t, func(c *client) {
			c.request()
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
			io.Copy(c, io.LimitReader(zeros{}, 1e9))
		}), wrap)
		p.server.Timeouts.Write = 50 * time.Millisecond
		p.start()
		p.dial().send(getOne)
		wait.For(t, "an exchange broke off", func() bool {
			p.log.mu.Lock()
			defer p.log.mu.Unlock()
			return len(p.log.errors) == 1
		})
		wait.For(t, "no connections", func() bool { return p.server.Open() == 0 })
	})
}
