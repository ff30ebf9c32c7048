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
	// Client is the client's address, for a consistent hash.
	Client netip.Addr
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
	w := want{key: addressKey(o.Client)}
	for range maxConnects {
		e := pool.pick(w)
		if e == nil || ctx.Err() != nil {
			break
		}
		w.tried = append(w.tried, e)
		s.Tries, s.Endpoint = s.Tries+1, e.addr
		e.acquire()
		if s.Conn, err = pool.open(ctx, e, o.Greeting); err == nil {
			pool.reached(e)
			s.release = sync.OnceFunc(e.release)
			return s, nil
		}
		e.release()
		if ctx.Err() == nil {
			pool.missed(e, err)
		}
		last = &Error{Kind: NoConnection, Backend: o.Backend, Err: err}
	}
	return s, last
}

// Reach connects to one endpoint of a backend as requests do, over TLS where the
// backend asks for it, and whoever else chose the endpoint.
func (p *Pools) Reach(ctx context.Context, key ir.BackendKey, addr netip.AddrPort) (net.Conn, error) {
	pool, err := p.usable(key)
	if err != nil {
		return nil, err
	}
	return pool.connectTo(ctx, addr.String(), pool.alpn())
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

// Session is an endpoint that a client's datagrams go to.
type Session struct {
	Endpoint netip.AddrPort
	release  func()
}

// Release says that the session has ended, or has never begun.
func (s Session) Release() {
	if s.release != nil {
		s.release()
	}
}

// Endpoint returns an endpoint of a backend for a session of datagrams, where
// nothing tells whether it is reached. The caller releases it.
func (p *Pools) Endpoint(key ir.BackendKey, client netip.Addr) (Session, error) {
	pool, err := p.usable(key)
	if err != nil {
		return Session{}, err
	}
	e := pool.pick(want{key: addressKey(client)})
	if e == nil {
		return Session{}, &Error{Kind: NoEndpoints, Backend: key, Err: errors.New("there is no endpoint")}
	}
	e.acquire()
	return Session{e.addr, sync.OnceFunc(e.release)}, nil
}

// Serves says whether an address is still an endpoint of a backend.
func (p *Pools) Serves(key ir.BackendKey, addr netip.AddrPort) bool {
	pool := p.byKey[key]
	return pool != nil && pool.roster.Load().byAddr[addr] != nil
}
