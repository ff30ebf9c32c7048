package h1

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/guard"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// Pool keeps the connections with one endpoint. The zero value needs Dial.
type Pool struct {
	// Dial opens a connection: for TLS over a *rawconn.Conn, so that Stale can look
	// below.
	Dial func(ctx context.Context) (net.Conn, error)
	// Limits bound the backend's responses; BodyBytes is not looked at.
	Limits Limits
	// Answer, Read and Write are those of Call.
	Answer, Read, Write time.Duration
	// MaxIdle bounds idle connections; default 1024.
	MaxIdle int
	// Places are taken by idle connections of this pool and of others; nil is no
	// bound.
	Places *guard.Budget
	// IdleTimeout is how long one is kept; default one minute.
	IdleTimeout time.Duration

	prepared sync.Once
	limits   Limits
	put      func(u *Upstream, again bool)
	mu       sync.Mutex
	idle     []*Upstream
	reaper   *time.Timer
	closed   bool
}

var _ exchange.Backend = (*Pool)(nil)

func (p *Pool) prepare() {
	p.limits = p.Limits.withDefaults()
	if p.MaxIdle <= 0 {
		p.MaxIdle = 1024
	}
	if p.IdleTimeout <= 0 {
		p.IdleTimeout = time.Minute
	}
	p.put = p.giveBack
}

// Do carries one exchange over a connection of the pool: see Upstream.Do. An
// idle connection that was closed meanwhile costs nothing but the look: the
// request goes to another. One that closes without an answer is asked again over
// a new connection, once, where the request is idempotent and has no content.
func (p *Pool) Do(ctx context.Context, ask exchange.Ask) (*exchange.Response, error) {
	p.prepared.Do(p.prepare)
	q := ask.Request
	if body, ok := q.Body.(exchange.Gatherer); ok {
		if err := body.Gather(ask.Until); err != nil {
			return nil, err
		}
	}
	call := Call{
		Context: ctx, Request: q, Now: ask.Now, Until: ask.Until, Ended: ask.Ended,
		Answer: p.Answer, Read: p.Read, Write: p.Write, Done: p.put,
	}
	if call.Now.IsZero() {
		call.Now = time.Now()
	}
	twice := !ask.Once && q.Length == 0 && idempotent(q.Method)
	for u := p.take(twice); u != nil; u = p.take(twice) {
		answer, err := u.Do(call)
		if err == nil {
			return answer, nil
		}
		if errors.Is(err, errNoAnswer) && twice {
			break
		}
		if !errors.Is(err, rawconn.ErrStale) {
			return nil, err
		}
	}
	return p.fresh(ctx, call)
}

func (p *Pool) fresh(ctx context.Context, call Call) (*exchange.Response, error) {
	if !call.Until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, call.Until)
		defer cancel()
	}
	c, err := p.Dial(ctx)
	if err != nil {
		return nil, errors.Join(exchange.ErrUnreachable, err)
	}
	answer, err := NewUpstream(c, &p.limits).Do(call)
	if errors.Is(err, rawconn.ErrStale) {
		err = errBackendClosed.gateway
	}
	return answer, err
}

// idempotent reports whether a method may be sent twice (RFC 9110, section
// 9.2.2), of those that are sent without content.
func idempotent(method string) bool {
	return method == "GET" || method == "HEAD" || method == "OPTIONS"
}

// take returns the connection that was used last, or nil. twice says that the
// request may be sent again if that connection turns out to have ended.
func (p *Pool) take(twice bool) *Upstream {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 || !twice && !p.idle[n-1].conn.Tells() {
		return nil
	}
	u := p.idle[n-1]
	p.idle[n-1] = nil
	p.idle = p.idle[:n-1]
	p.Places.Give(1)
	return u
}

func (p *Pool) giveBack(u *Upstream, again bool) {
	if !again {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) >= p.MaxIdle || !p.Places.Take(1) {
		u.Close()
		return
	}
	p.idle = append(p.idle, u)
	if p.reaper == nil {
		p.reaper = time.AfterFunc(p.IdleTimeout/2, p.reap)
	}
}

// reap closes what has been idle for too long, and what its backend has closed:
// connections at the bottom would else keep their descriptors for good.
func (p *Pool) reap() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reaper = nil
	kept, now := p.idle[:0], time.Now()
	for _, u := range p.idle {
		if now.Sub(u.since) > p.IdleTimeout || u.Stale() {
			u.Close()
			continue
		}
		kept = append(kept, u)
	}
	p.Places.Give(int64(len(p.idle) - len(kept)))
	clear(p.idle[len(kept):])
	if p.idle = kept; len(kept) > 0 && !p.closed {
		p.reaper = time.AfterFunc(p.IdleTimeout/2, p.reap)
	}
}

// Close closes idle connections, and each of the others when its exchange ends.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, u := range p.idle {
		u.Close()
	}
	p.Places.Give(int64(len(p.idle)))
	p.idle = nil
	if p.reaper != nil {
		p.reaper.Stop()
	}
}

// Idle returns the number of idle connections.
func (p *Pool) Idle() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.idle)
}
