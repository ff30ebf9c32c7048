package h1

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// A client that goes away while its answer is being made ends the context, and
// the connection with the backend that it waited for.
func TestGoneClientEndsItsExchange(t *testing.T) {
	for name, over := range map[string]bool{"plain": false, "tls": true} {
		t.Run(name, func(t *testing.T) {
			asked, ended := make(chan struct{}), make(chan struct{})
			p := newProxy(t, backend(t, func(c *client) {
				if c.request() != nil {
					close(asked)
					_, _ = c.r.ReadByte()
					close(ended)
				}
			}), ways["raw"])
			server, config := testTLS(t)
			if over {
				p.wrap = func(c net.Conn) net.Conn { return tls.Server(rawconn.New(c), server) }
			}
			told := make(chan error, 1)
			p.handle(func(ctx context.Context, q *exchange.Request) *exchange.Response {
				answer := p.serve(ctx, q)
				told <- ctx.Err()
				return answer
			})
			p.start()
			c := p.dial()
			if over {
				c = newClient(t, tls.Client(c.Conn, config))
			}
			c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			<-asked
			c.Close()
			if err := <-told; err == nil {
				t.Error("the context did not end")
			}
			<-ended
		})
	}
}

// A connection that never sends a request does not hold a drain up for long.
func TestDrainGivesFreshConnectionsAMoment(t *testing.T) {
	eachWay(t, func(t *testing.T, wrap func(net.Conn) net.Conn) {
		t.Helper()
		p := newProxy(t, "", wrap).start()
		c := p.dial()
		wait.For(t, "the connection is there", func() bool { return p.server.Open() == 1 })
		p.server.Drain()
		if p.server.Open() != 1 {
			t.Error("the connection was given no moment")
		}
		for range freshGlances {
			p.server.look()
		}
		c.ended()
		if !p.server.Wait(t.Context()) {
			t.Error("the drain did not end")
		}
	})
}

// sentTo is told of the end of an exchange.
type sentTo chan exchange.Sent

func (s sentTo) Done(sent exchange.Sent) { s <- sent }

// A client that can be told nothing any more was told nothing: its answer keeps
// its status, and is no failure of the proxy's.
func TestAnswerToNobodyKeepsItsStatus(t *testing.T) {
	for name, length := range map[string]int64{"sized": 2, "chunked": -1} {
		t.Run(name, func(t *testing.T) {
			asked, told := make(chan struct{}), make(sentTo, 1)
			p := newProxy(t, "", ways["raw"])
			p.server.Handler = asIs(func(ctx context.Context, _ exchange.Incoming) exchange.Answer {
				close(asked)
				<-ctx.Done()
				response := &exchange.Response{Status: 200, Length: length, Body: io.NopCloser(strings.NewReader("ok"))}
				return exchange.Answer{Response: response, Ender: told}
			})
			c := p.start().dial().send(getOne)
			<-asked
			c.Conn.(*net.TCPConn).SetLinger(0)
			c.Close()
			if sent := <-told; sent.Err == nil || sent.Status != 0 {
				t.Errorf("the client was told %d (%v), want nothing", sent.Status, sent.Err)
			}
		})
	}
}
