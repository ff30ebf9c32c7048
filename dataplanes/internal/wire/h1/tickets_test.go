package h1

import (
	"context"
	"crypto/tls"
	"net"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// A server of TLS 1.3 sends tickets behind its handshake, to clients that have no
// use for them too. A new connection on which they have come carries requests, of
// each kind, as any other does.
func TestTicketsAreNoAnswer(t *testing.T) {
	server, config := testTLS(t)
	// Tickets come when the client has finished, and not before.
	server.ClientAuth = tls.RequestClientCert
	addr := backend(t, func(c *client) {
		over := newClient(t, tls.Server(c.Conn, server))
		for over.request() != nil {
			over.send(okAnswer)
		}
	})
	for _, raw := range []string{getOne, postOne, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"} {
		config := config.Clone()
		config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		p := newProxy(t, addr, ways["raw"])
		p.pool.Dial = func(ctx context.Context) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
			if err != nil {
				return nil, err
			}
			below := rawconn.New(c)
			over := tls.Client(below, config)
			if err = over.HandshakeContext(ctx); err == nil && below.Tells() {
				wait.For(t, "the tickets have come", below.Stale)
			}
			return over, err
		}
		p.start().dial().send(raw).answer(raw[:4], 200)
	}
}
