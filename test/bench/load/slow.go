package load

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Slow are connections that do next to nothing and never end: a third of them
// send a header, a third a body, and a third take a large response, a byte or a
// page at a time.
type Slow struct {
	address, large string
	cancel         context.CancelFunc
	ended          sync.WaitGroup
	conns          []net.Conn
	fault          error
}

// pause is between two moves of a connection.
const pause = 5 * time.Second

// Drag opens n slow connections to an address and keeps them moving until Close.
// Large is the path of a large response. One that the proxy gives up on is opened
// again, as whoever means harm would.
func Drag(ctx context.Context, address, large string, n int) (*Slow, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := &Slow{address: address, large: large, cancel: cancel, conns: make([]net.Conn, n)}
	for i := range s.conns {
		if err := s.open(i); err != nil {
			cancel()
			s.closeAll()
			return nil, fmt.Errorf("slow connection %d of %d: %w", i, n, err)
		}
	}
	s.ended.Go(func() { s.move(ctx) })
	return s, nil
}

// Close closes them, and says what went wrong meanwhile.
func (s *Slow) Close() error {
	s.cancel()
	s.ended.Wait()
	s.closeAll()
	return s.fault
}

func (s *Slow) closeAll() {
	for _, c := range s.conns {
		if c != nil {
			c.Close()
		}
	}
}

// move moves all connections once in each pause, a few at a time.
func (s *Slow) move(ctx context.Context) {
	const steps = 100
	tick := time.NewTicker(pause / steps)
	defer tick.Stop()
	for step := 0; ; step = (step + 1) % steps {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for i := step; i < len(s.conns); i += steps {
			if s.nudge(i) != nil {
				s.conns[i].Close()
				if err := s.open(i); err != nil {
					s.fault = err
					return
				}
			}
		}
	}
}

// The kinds of slow connections.
const (
	slowHeader = iota
	slowBody
	slowReader
	kinds
)

func (s *Slow) open(i int) error {
	c, err := net.DialTimeout("tcp", s.address, 10*time.Second)
	if err != nil {
		return err
	}
	s.conns[i] = c
	beginning := "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
	switch i % kinds {
	case slowBody:
		beginning = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
	case slowReader:
		beginning = "GET " + s.large + " HTTP/1.1\r\nHost: localhost\r\n\r\n"
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetReadBuffer(4 << 10)
		}
	}
	_, err = io.WriteString(c, beginning)
	return err
}

// nudge has one connection make its move. An error is the proxy's, which has
// given up.
func (s *Slow) nudge(i int) error {
	c := s.conns[i]
	if i%kinds != slowReader {
		_, err := c.Write([]byte("x"))
		return err
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := c.Read(make([]byte, 512))
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() { //nolint:errorlint // A connection's errors are not wrapped.
		return nil
	}
	return err
}
