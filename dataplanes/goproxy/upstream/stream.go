package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// Stream is a connection to an endpoint that one client has for itself.
type Stream struct {
	// Conn is a *net.TCPConn or a *tls.Conn.
	Conn net.Conn
	// Endpoint is who was reached, or tried last.
	Endpoint netip.AddrPort
	Tries    int
	release  func()
}

// Release says that the connection is no longer used; it does not close it.
func (s *Stream) Release() {
	if s.release != nil {
		s.release()
	}
}

// Opening asks for a connection.
type Opening struct {
	Backend ir.BackendKey
	// Greeting is written first, in plain text; empty for none.
	Greeting []byte
}

// streamHandshake bounds the handshake with a backend of TLS.
const streamHandshake = 10 * time.Second

// Open connects to an endpoint of a backend. One that cannot be reached costs a
// look at the next, as nothing of the client's was sent. An error is always an
// *Error; the Stream then still says which endpoint was tried last.
func (p *Pools) Open(ctx context.Context, o Opening) (*Stream, error) {
	s := &Stream{}
	pool, err := p.usable(o.Backend)
	if err != nil {
		return s, err
	}
	last := &Error{Kind: NoEndpoints, Backend: o.Backend, Err: errors.New("there is no endpoint")}
	var tried []*endpoint
	for range maxConnects {
		e := pool.pick(ID{}, tried)
		if e == nil || ctx.Err() != nil {
			break
		}
		tried = append(tried, e)
		s.Tries, s.Endpoint = s.Tries+1, e.addr
		if s.Conn, err = pool.open(ctx, e, o.Greeting); err == nil {
			e.acquire()
			s.release = sync.OnceFunc(e.release)
			return s, nil
		}
		last = &Error{Kind: NoConnection, Backend: o.Backend, Err: err}
	}
	return s, last
}

func (p *Pools) usable(key ir.BackendKey) (*Pool, error) {
	pool := p.byKey[key]
	switch {
	case pool == nil:
		return nil, &Error{Kind: Unknown, Backend: key, Err: errors.New("not part of the unit")}
	case pool.invalid != nil:
		return nil, &Error{Kind: InvalidTLS, Backend: key, Err: pool.invalid}
	}
	return pool, nil
}

func (p *Pool) open(ctx context.Context, e *endpoint, greeting []byte) (net.Conn, error) {
	conn, err := p.dial(ctx, "tcp", e.addr.String())
	if err != nil {
		return nil, err
	}
	if len(greeting) > 0 {
		if _, err := conn.Write(greeting); err != nil {
			conn.Close()
			return nil, err
		}
	}
	if p.tls == nil {
		return conn, nil
	}
	ctx, cancel := context.WithTimeout(ctx, streamHandshake)
	defer cancel()
	secure := tls.Client(conn, p.cloneTLS())
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// Endpoint returns an endpoint of a backend for a session of datagrams, where
// nothing tells whether it is reached.
func (p *Pools) Endpoint(key ir.BackendKey) (netip.AddrPort, error) {
	pool, err := p.usable(key)
	if err != nil {
		return netip.AddrPort{}, err
	}
	e := pool.pick(ID{}, nil)
	if e == nil {
		return netip.AddrPort{}, &Error{Kind: NoEndpoints, Backend: key, Err: errors.New("there is no endpoint")}
	}
	return e.addr, nil
}

// Serves says whether an address is still an endpoint of a backend.
func (p *Pools) Serves(key ir.BackendKey, addr netip.AddrPort) bool {
	pool := p.byKey[key]
	return pool != nil && pool.roster.Load().byAddr[addr] != nil
}
