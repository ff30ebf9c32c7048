package h2

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// Pool keeps the connections with one endpoint: as few as its streams need. The
// zero value needs Dial.
type Pool struct {
	// Dial opens a connection; over TLS, one that has agreed on h2. It must come to an
	// end by itself.
	Dial func(ctx context.Context) (net.Conn, error)
	// TLS says that the scheme of requests is https.
	TLS bool
	// Limits bound the backend's responses; of a connection, Streams bounds ours and
	// is 1000 by default. BodyBytes is not looked at. ConnWindow is 16 MiB by
	// default: it is given back before anybody reads, and only StreamWindow bounds
	// what is held.
	Limits Limits
	// Ping is the silence after which a connection with streams is asked whether it
	// lives, and how long it then has; default 15 s.
	Ping time.Duration
	// MaxConns bounds the connections, but for those that the backend has asked to
	// leave; default 64. Over it, requests wait.
	MaxConns int
	// IdleTimeout is how long a connection without streams is kept; default one
	// minute.
	IdleTimeout time.Duration

	prepared sync.Once
	limits   Limits

	mu      sync.Mutex
	conns   []*backend
	dialing *dialing
	// changed is done when a place may have become free; waited says that somebody
	// waits for that.
	changed *dialing
	waited  atomic.Bool
}

var _ exchange.Backend = (*Pool)(nil)

// dialing is a connection that is being opened, for all who wait for it.
type dialing struct {
	done chan struct{}
	err  error
}

func (p *Pool) prepare() {
	l := p.Limits
	if l.Streams <= 0 {
		l.Streams = 1000
	}
	if l.ConnWindow <= 0 {
		l.ConnWindow = 16 << 20
	}
	p.limits = l.withDefaults()
	if p.MaxConns <= 0 {
		p.MaxConns = 64
	}
	if p.IdleTimeout <= 0 {
		p.IdleTimeout = time.Minute
	}
	if p.Ping <= 0 {
		p.Ping = 15 * time.Second
	}
}

// mostTries bounds how often a connection is looked for: one may begin to leave
// when it was found.
const mostTries = 3

// Do carries one exchange. What has no content and is idempotent is sent again
// where the connection ends without an answer, once. What the backend has refused
// unseen is left to the caller, who may know another.
func (p *Pool) Do(ctx context.Context, ask exchange.Ask) (*exchange.Response, error) {
	p.prepared.Do(p.prepare)
	q := ask.Request
	twice := !ask.Once && q.Length == 0 && (q.Method == "GET" || q.Method == "HEAD" || q.Method == "OPTIONS")
	for try := 1; ; try++ {
		b, err := p.take(ctx, ask.Until)
		if err != nil {
			return nil, err
		}
		if q.Upgrade == webSocket {
			if err := b.mayConnect(); err != nil {
				return nil, err
			}
		}
		response, err := b.do(ctx, ask)
		switch {
		case errors.Is(err, errUnbegun) && try < mostTries:
		case errors.Is(err, errUnbegun):
			return nil, errUnprocessed
		case (errors.Is(err, errGone) || errors.Is(err, errSilent)) && twice && try == 1:
		default:
			return response, err
		}
	}
}

// take returns a connection with a place on it.
func (p *Pool) take(ctx context.Context, until time.Time) (*backend, error) {
	if b := p.find(); b != nil {
		return b, nil
	}
	if !until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	for {
		d := p.wanting()
		select {
		case <-d.done:
		case <-ctx.Done():
			return nil, outOf(ctx)
		}
		if d.err != nil {
			return nil, d.err
		}
		if b := p.find(); b != nil {
			return b, nil
		}
	}
}

func outOf(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errBackendSlow
	}
	return errAbandoned
}

// find takes a place on the first connection that has one, so that they remain
// few.
func (p *Pool) find() *backend {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		if c.reserve() {
			return c
		}
	}
	return nil
}

// wanting returns what to wait for where no connection has a place.
func (p *Pool) wanting() *dialing {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.dialing != nil:
		return p.dialing
	case p.living() < p.MaxConns && !p.barred():
		p.dialing = &dialing{done: make(chan struct{})}
		go p.dial(p.dialing)
		return p.dialing
	}
	if p.changed == nil {
		p.changed = &dialing{done: make(chan struct{})}
		p.waited.Store(true)
	}
	// A place that became free meanwhile woke nobody.
	for _, c := range p.conns {
		if c.free() {
			return past
		}
	}
	return p.changed
}

// living counts the connections that can have more streams: those that leave may
// have some for as long as they like.
func (p *Pool) living() (n int) {
	for _, b := range p.conns {
		if !b.leaves() {
			n++
		}
	}
	return n
}

// barred reports whether the backend takes no stream at all for now: over another
// connection it would take no more.
func (p *Pool) barred() bool {
	for _, c := range p.conns {
		if c.bars() {
			return true
		}
	}
	return false
}

// past is what nobody has to wait for.
var past = func() *dialing {
	d := &dialing{done: make(chan struct{})}
	close(d.done)
	return d
}()

// dial opens a connection for all who wait for it. Its end is not bound to who
// came first. It is used once the backend has said how many streams it takes.
func (p *Pool) dial(d *dialing) {
	conn, err := p.Dial(context.Background())
	if err != nil {
		p.failed(d, err)
		return
	}
	b := newBackend(p, conn)
	b.opening = d
	b.run()
}

// failed ends a dialing of which nothing came.
func (p *Pool) failed(d *dialing, why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dialing = nil
	d.err = errors.Join(exchange.ErrUnreachable, why)
	close(d.done)
}

// opened ends a dialing. Those who wait for it come even where the pool was closed
// meanwhile: they hold its endpoint.
func (p *Pool) opened(d *dialing, b *backend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dialing = nil
	p.conns = append(p.conns, b)
	close(d.done)
}

// signal wakes those who wait for a place. The lock of a connection may be held
// here, which find takes under the pool's.
func (p *Pool) signal() {
	if p.waited.Load() {
		go p.wake()
	}
}

func (p *Pool) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changed != nil {
		close(p.changed.done)
		p.changed = nil
		p.waited.Store(false)
	}
}

func (p *Pool) remove(c *backend) {
	p.mu.Lock()
	for i := range p.conns {
		if p.conns[i] == c {
			p.conns = append(p.conns[:i], p.conns[i+1:]...)
			break
		}
	}
	p.mu.Unlock()
	p.wake()
}

// Close closes idle connections, and each of the others when its last exchange
// ends. Exchanges that come later have a connection of their own.
func (p *Pool) Close() {
	p.prepared.Do(p.prepare)
	p.mu.Lock()
	conns := append([]*backend(nil), p.conns...)
	p.mu.Unlock()
	for _, c := range conns {
		c.goAway(mostWindow)
	}
}

// Open returns the number of connections.
func (p *Pool) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}
