package load

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Idle are connections that have had an answer and wait for nothing.
type Idle struct{ conns []net.Conn }

// Close closes them.
func (i *Idle) Close() {
	for _, c := range i.conns {
		c.Close()
	}
}

// Alive returns an error unless every connection is still open and silent.
func (i *Idle) Alive() error {
	var group sync.WaitGroup
	var closed atomic.Int64
	for _, c := range i.conns {
		group.Go(func() {
			c.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				closed.Add(1)
			}
		})
	}
	group.Wait()
	if n := closed.Load(); n > 0 {
		return fmt.Errorf("%d of %d connections did not stay open", n, len(i.conns))
	}
	return nil
}

// opening is how many connections are opened at a time.
const opening = 64

// Idlers are connections that are to be opened.
type Idlers struct {
	Address string
	// TLS has them speak TLS.
	TLS   bool
	Count int
}

// Open opens connections and has one request answered on each. With an error,
// none stays open.
func Open(ctx context.Context, want Idlers) (*Idle, error) {
	var (
		all   Idle
		mu    sync.Mutex
		group sync.WaitGroup
		fault error
	)
	slots := make(chan struct{}, opening)
	for range want.Count {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			conn, err := openOne(ctx, want)
			mu.Lock()
			defer mu.Unlock()
			if conn != nil {
				all.conns = append(all.conns, conn)
			}
			if err != nil && fault == nil {
				fault = fmt.Errorf("connection %d of %d: %w", len(all.conns), want.Count, err)
			}
		})
		mu.Lock()
		stop := fault != nil
		mu.Unlock()
		if stop {
			break
		}
	}
	group.Wait()
	if fault != nil {
		all.Close()
		return nil, fault
	}
	return &all, nil
}

// clientTLS is one for all, as thousands of copies would be felt. The certificate
// was made for this run; who serves it is not in question.
var clientTLS = &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", NextProtos: []string{"http/1.1"}}

func openOne(ctx context.Context, want Idlers) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", want.Address)
	if err != nil {
		return nil, err
	}
	if want.TLS {
		conn = tls.Client(conn, clientTLS)
	}
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, "GET /idle HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		return conn, err
	}
	answer, err := http.ReadResponse(bufio.NewReaderSize(conn, 1024), nil)
	if err != nil {
		return conn, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.Close {
		return conn, fmt.Errorf("status %d, closed: %v", answer.StatusCode, answer.Close)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return conn, err
}
