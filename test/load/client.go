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
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// Every is the pace of a client: 250 requests a second where the machine keeps
// up.
const Every = 4 * time.Millisecond

// patience is how long a request may take before it has failed.
const patience = 20 * time.Second

// Targets are the addresses, each with its port, that clients send to.
type Targets struct {
	// Plain serves HTTP, Secure HTTPS, QUIC HTTP/3; the clients of an empty one
	// are left out.
	Plain, Secure, QUIC string
	// Host and Path are what is asked for.
	Host, Path string
	// GRPC is the authority by which Plain serves gRPC, calls and streams, and
	// WebSocket the path at which it echoes one; the clients of an empty one are left
	// out.
	GRPC, WebSocket string
}

// Client sends one request after the other until it is told to stop.
type Client struct {
	Name string
	// Check looks at an answer with status 200. nil is content with it.
	Check func(*http.Response) error
	// Ends is for servers that end connections which are kept, whatever is on its way:
	// requests that were lost by that are counted, and have not failed.
	Ends bool

	ask func(context.Context) (*http.Response, error)
	// unheard is true where the end of a connection may reach nobody.
	unheard bool
	// talk is a whole exchange, of clients without ask.
	talk     func(context.Context) error
	requests atomic.Int64
	failed   atomic.Int64
	ended    atomic.Int64
	first    sync.Once
	why      error
}

// Clients returns one of each kind. check looks at every answer.
func Clients(t Targets, check func(*http.Response) error) []*Client {
	var all []*Client
	add := func(name string, ask func(context.Context) (*http.Response, error)) {
		all = append(all, &Client{Name: name, Check: check, ask: ask})
	}
	if t.Plain != "" {
		raw := &rawClient{address: t.Plain, request: "GET " + t.Path + " HTTP/1.1\r\nHost: " + t.Host + "\r\n\r\n"}
		add("new connections", through(&http.Transport{DisableKeepAlives: true}, "http://"+t.Plain+t.Path, t.Host))
		add("keep-alive", through(&http.Transport{}, "http://"+t.Plain+t.Path, t.Host))
		add("raw without retries", raw.ask)
	}
	// The certificates were made on the spot; these clients are not about trust.
	trusting := &tls.Config{ServerName: t.Host, InsecureSkipVerify: true}
	if t.Secure != "" {
		// Each has a configuration of its own, as it writes into it.
		h2 := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: trusting.Clone()}
		add("h2", through(h2, "https://"+t.Secure+t.Path, t.Host))
	}
	if t.QUIC != "" {
		// As a browser's, each connection has a socket of its own: what lies between
		// knows connections of UDP by their ports, and would lead the next one to where
		// the last one was told to leave.
		h3 := &http3.Transport{TLSClientConfig: trusting.Clone(), Dial: quic.DialAddrEarly}
		add("h3", through(h3, "https://"+t.QUIC+t.Path, t.Host))
		all[len(all)-1].unheard = true
	}
	return append(all, talkers(t)...)
}

// talkers are the clients whose exchanges are more than a request.
func talkers(t Targets) []*Client {
	var all []*Client
	if t.GRPC != "" {
		all = append(all,
			&Client{Name: "gRPC calls", talk: newCaller(t.Plain, t.GRPC).call},
			&Client{Name: "gRPC streams", talk: newCaller(t.Plain, t.GRPC).stream})
	}
	if t.WebSocket != "" {
		all = append(all, &Client{Name: "WebSockets", talk: echoed("ws://"+t.Plain+t.WebSocket, t.Host)})
	}
	return all
}

// Start runs clients until halt is called, which returns when they have ended.
func Start(ctx context.Context, clients []*Client) (halt func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	for _, c := range clients {
		running.Go(func() { c.run(ctx) })
	}
	return func() { cancel(); running.Wait() }
}

func (c *Client) run(ctx context.Context) {
	pace := time.NewTicker(Every)
	defer pace.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
		c.requests.Add(1)
		err := c.once()
		switch {
		case c.Ends && (isEnd(err) || c.unheard && errors.Is(err, context.DeadlineExceeded)):
			c.ended.Add(1)
		case err != nil:
			c.failed.Add(1)
			c.first.Do(func() { c.why = fmt.Errorf("at %s: %w", time.Now().Format(time.StampMilli), err) })
		}
	}
}

// once is a request that a stop does not cut off.
func (c *Client) once() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if c.talk != nil {
		return c.talk(ctx)
	}
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
	if c.Check == nil {
		return nil
	}
	return c.Check(answer)
}

// Requests is how many have been sent.
func (c *Client) Requests() int64 { return c.requests.Load() }

// Failed is how many of them had no good answer.
func (c *Client) Failed() int64 { return c.failed.Load() }

// Ended is how many were lost by the end of a connection, where Ends is true.
func (c *Client) Ended() int64 { return c.ended.Load() }

// Err says what failed, once the client has halted; nil where nothing did.
func (c *Client) Err() error {
	if c.Failed() == 0 {
		return nil
	}
	return fmt.Errorf("%s: %d of %d requests failed, the first %w", c.Name, c.Failed(), c.Requests(), c.why)
}

// Err says what failed at any of the clients, once they have halted.
func Err(clients []*Client) error {
	errs := make([]error, len(clients))
	for i, c := range clients {
		errs[i] = c.Err()
	}
	return errors.Join(errs...)
}

// AnyFailed reports whether a request of any client failed so far.
func AnyFailed(clients []*Client) bool {
	for _, c := range clients {
		if c.Failed() > 0 {
			return true
		}
	}
	return false
}

// Counts is a line a client.
func Counts(clients []*Client) string {
	var text strings.Builder
	for _, c := range clients {
		fmt.Fprintf(&text, "%-20s %6d requests, %d failed, %d ended\n", c.Name, c.Requests(), c.Failed(), c.Ended())
	}
	return text.String()
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
	kept := c.conn != nil
	if !kept {
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
	if err != nil && kept {
		err = keptError{err}
	}
	return answer, err
}

func (c *rawClient) exchange() (*http.Response, error) {
	if _, err := io.WriteString(c.conn, c.request); err != nil {
		return nil, err
	}
	return http.ReadResponse(c.reader, nil)
}
