package h1

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

const (
	upgradeRequest = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n"
	switching      = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: y\r\n\r\n"
)

func tunnelBackend(t *testing.T) string {
	t.Helper()
	return backend(t, func(c *client) {
		r := c.request()
		if r == nil {
			return
		}
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Sec-WebSocket-Key") != "x" {
			t.Errorf("the backend was asked with %v", r.Header)
		}
		// The first octets come in the same segment as the head.
		c.send(switching + "first")
		io.Copy(c, c.r)
	})
}

func TestUpgrade(t *testing.T) {
	eachWay(t, func(t *testing.T, wrap func(net.Conn) net.Conn) {
		t.Helper()
		p := newProxy(t, tunnelBackend(t), wrap).start()
		c := p.dial().send(upgradeRequest)
		if r := c.answer("GET", 101); r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Sec-WebSocket-Accept") != "y" {
			t.Errorf("answer %v", r.Header)
		}
		c.reads("first")
		c.send("hello").reads("hello")
		c.Conn.(*net.TCPConn).CloseWrite()
		c.ended()
	})
}

func (c *client) reads(want string) {
	c.t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c.r, got); err != nil || string(got) != want {
		c.t.Fatalf("%q, %v; want %q", got, err, want)
	}
}

func TestTunnelIdle(t *testing.T) {
	p := newProxy(t, tunnelBackend(t), ways["raw"])
	p.server.Timeouts.Tunnel = 50 * time.Millisecond
	p.start()
	c := p.dial().send(upgradeRequest)
	c.answer("GET", 101)
	c.reads("first")
	c.ended()
}

// The time of an exchange bounds its tunnel, whoever talks on it.
func TestTunnelOutOfTime(t *testing.T) {
	for name, idle := range map[string]time.Duration{"no other bound": 0, "long idle": time.Hour} {
		t.Run(name, func(t *testing.T) {
			p := newProxy(t, backend(t, func(c *client) {
				c.request()
				for _, err := io.WriteString(c, switching); err == nil; _, err = io.WriteString(c, "x") {
					<-time.After(time.Millisecond)
				}
			}), ways["raw"])
			p.server.Timeouts.Tunnel = idle
			p.handle(func(ctx context.Context, q *exchange.Request) *exchange.Response {
				answer, err := p.pool.Do(ctx, exchange.Ask{Request: q, Until: time.Now().Add(100 * time.Millisecond)})
				if err != nil {
					return &exchange.Response{Status: 504}
				}
				return answer
			})
			p.start()
			c := p.dial().send(upgradeRequest)
			if _, err := io.Copy(io.Discard, c.r); isTimeout(err) {
				t.Fatal("the tunnel did not end")
			}
			wait.For(t, "no connections", func() bool { return p.server.Open() == 0 })
			p.log.mu.Lock()
			defer p.log.mu.Unlock()
			if len(p.log.errors) == 1 && p.log.errors[0] != errBackendTimeout {
				t.Errorf("the tunnel ended with %v", p.log.errors[0])
			}
		})
	}
}

// What a client says before it was answered is the first of its tunnel, and
// never a request.
func TestEarlyOctetsBehindAnUpgrade(t *testing.T) {
	p := newProxy(t, tunnelBackend(t), ways["raw"]).start()
	c := p.dial().send(upgradeRequest + "hello")
	c.answer("GET", 101)
	c.reads("first")
	c.reads("hello")
	c.Conn.(*net.TCPConn).CloseWrite()
	c.ended()

	p = newProxy(t, backend(t, func(c *client) {
		for c.request() != nil {
			c.send(okAnswer)
		}
	}), ways["raw"]).start()
	c = p.dial().send(upgradeRequest + "GET /admin HTTP/1.1\r\nHost: a\r\n\r\n")
	c.answer("GET", 200)
	c.ended()
}

// After an upgrade that was refused, nothing more is read as a request.
func TestRefusedUpgradeEndsTheConnection(t *testing.T) {
	p := newProxy(t, backend(t, func(c *client) {
		for c.request() != nil {
			c.send(okAnswer)
		}
	}), ways["raw"]).start()
	c := p.dial().send(upgradeRequest)
	if r := c.answer("GET", 200); !r.Close {
		t.Error("the end of the connection was not announced")
	}
	c.ended()
}

func TestUnaskedUpgrade(t *testing.T) {
	p := newProxy(t, backend(t, func(c *client) {
		if c.request() != nil {
			c.send(switching)
			io.Copy(io.Discard, c.r)
		}
	}), ways["raw"]).start()
	p.dial().get(502)
	if p.pool.Idle() != 0 {
		t.Error("the connection went back into the pool")
	}
}

// TLS on both sides goes over the same connections, and an idle one that its
// backend has closed is found below the TLS.
func TestOverTLS(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", serverTLS)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	hangUp := make(chan struct{})
	go func() {
		for first := true; ; first = false {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go answerOver(newClient(t, c), first, hangUp)
		}
	}()
	p := newProxy(t, "", func(c net.Conn) net.Conn { return tls.Server(rawconn.New(c), serverTLS) })
	p.pool.Dial = func(ctx context.Context) (net.Conn, error) {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			return nil, err
		}
		return tls.Client(rawconn.New(c), clientTLS), nil
	}
	p.start()
	raw, err := tls.Dial("tcp", p.addr, clientTLS)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, raw)
	c.get(200)
	c.get(200)
	close(hangUp)
	wait.For(t, "stale below TLS", func() bool {
		p.pool.mu.Lock()
		defer p.pool.mu.Unlock()
		return len(p.pool.idle) == 1 && p.pool.idle[0].Stale()
	})
	c.send(postOne).answer("POST", 200)
}

func answerOver(c *client, first bool, hangUp chan struct{}) {
	defer c.Close()
	if first {
		go func() { <-hangUp; c.Close() }()
	}
	for c.request() != nil {
		io.WriteString(c, okAnswer)
	}
}

// What the codec is told about a connection comes from below its TLS.
func TestCarrierBelowTLS(t *testing.T) {
	want := &exchange.Conn{Port: 7}
	a, _ := socketPair(t)
	if got := rawconn.About(tls.Server(rawconn.New(carrier{a, want}), &tls.Config{})); got != want {
		t.Errorf("got %v", got)
	}
}

type carrier struct {
	net.Conn
	about *exchange.Conn
}

var _ exchange.Carrier = carrier{}

func (c carrier) Exchange() *exchange.Conn { return c.about }
