package h1

import (
	"context"
	"crypto/tls"
	"net"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
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
				p.wrap = func(c net.Conn) net.Conn { return tls.Server(NewConn(c), server) }
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
