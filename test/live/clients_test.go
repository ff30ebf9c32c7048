package live

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// every is the pace of a client: 250 requests a second where the machine keeps
// up.
const every = 4 * time.Millisecond

// client sends one request after the other until it is told to stop.
type client struct {
	name string
	// ask sends one request and returns the answer; it retries nothing.
	ask func(context.Context) (*http.Response, error)

	requests atomic.Int64
	failed   atomic.Int64
	// edit is the highest x-edit that an answer has had.
	edit  atomic.Int64
	first sync.Once
	why   error
}

func (c *client) run(ctx context.Context) {
	pace := time.NewTicker(every)
	defer pace.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
		c.requests.Add(1)
		if err := c.once(); err != nil {
			c.failed.Add(1)
			c.first.Do(func() { c.why = err })
		}
	}
}

// once is a request that a stop does not cut off.
func (c *client) once() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	answer, err := c.ask(ctx)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("body: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d, %q", answer.StatusCode, body)
	}
	edit, err := strconv.ParseInt(answer.Header.Get("X-Edit"), 10, 64)
	if err != nil {
		return fmt.Errorf("x-edit: %w", err)
	}
	c.edit.Store(max(c.edit.Load(), edit))
	return nil
}

// allClients are those that every promise about changes is held to.
func allClients(p *program, host string) []*client {
	plain, secure := "http://"+p.at(plainPort)+"/live", "https://"+p.at(securePort)+"/live"
	h2 := &http.Transport{
		ForceAttemptHTTP2: true,
		// The certificate was made on the spot; this test is not about trust.
		TLSClientConfig: &tls.Config{ServerName: host, InsecureSkipVerify: true},
	}
	h3 := &http3.Transport{TLSClientConfig: &tls.Config{ServerName: host, InsecureSkipVerify: true}}
	raw := &rawClient{address: p.at(plainPort), request: "GET /live HTTP/1.1\r\nHost: " + host + "\r\n\r\n"}
	return []*client{
		{name: "new connections", ask: through(&http.Transport{DisableKeepAlives: true}, plain, host)},
		{name: "keep-alive", ask: through(&http.Transport{}, plain, host)},
		{name: "h2", ask: through(h2, secure, host)},
		{name: "h3", ask: through(h3, "https://"+p.at(quicPort)+"/live", host)},
		{name: "raw without retries", ask: raw.ask},
	}
}

func through(transport http.RoundTripper, url, host string) func(context.Context) (*http.Response, error) {
	return func(ctx context.Context) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		r.Host = host
		return transport.RoundTrip(r)
	}
}

// rawClient keeps a connection until the server says that it closes it.
type rawClient struct {
	address string
	request string
	conn    net.Conn
	reader  *bufio.Reader
}

func (c *rawClient) ask(ctx context.Context) (*http.Response, error) {
	if c.conn == nil {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.address)
		if err != nil {
			return nil, err
		}
		c.conn, c.reader = conn, bufio.NewReader(conn)
	}
	deadline, _ := ctx.Deadline()
	if err := c.conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	answer, err := c.exchange()
	if err != nil || answer.Close {
		c.conn = nil
	}
	return answer, err
}

func (c *rawClient) exchange() (*http.Response, error) {
	if _, err := io.WriteString(c.conn, c.request); err != nil {
		return nil, err
	}
	return http.ReadResponse(c.reader, nil)
}
