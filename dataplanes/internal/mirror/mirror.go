package mirror

import (
	"bytes"
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

const (
	// maxBody bounds the body of one copy; a request with a longer one is not
	// mirrored.
	maxBody = 1 << 20
	// maxHeld bounds the bodies of all copies together.
	maxHeld    = 64 << 20
	maxWaiting = 1024
	maxRunning = 64
	patience   = 15 * time.Second
)

// Send carries one copy to its backend and throws the answer away.
type Send func(context.Context, *exchange.Request)

// Mirrors are the copies of one proxy.
type Mirrors struct {
	ctx     context.Context //nolint:containedctx // It is the life of the proxy, and of no one request.
	running chan struct{}
	waiting atomic.Int64
	held    atomic.Int64
	group   sync.WaitGroup
	dropped func()
}

// New returns mirrors that live until the context ends. Dropped is called for
// each copy that is not sent.
func New(ctx context.Context, dropped func()) *Mirrors {
	return &Mirrors{ctx: ctx, running: make(chan struct{}, maxRunning), dropped: dropped}
}

// Wait returns once no copy is under way.
func (m *Mirrors) Wait() { m.group.Wait() }

// Copy arranges for copies of a request as it is now, one for each Send. A body
// is copied while the request itself reads it: it must be read through
// r.Body, which is replaced. Call end once nothing more will be read of it: a
// body that was not read to its end is not copied.
func (m *Mirrors) Copy(r *exchange.Request, sends []Send) (end func()) {
	if len(sends) == 0 {
		return func() {}
	}
	c := r.Detach()
	c.Upgrade = ""
	launch := func(body []byte) { m.launch(c, body, sends) }
	if r.Length == 0 {
		launch(nil)
		return func() {}
	}
	t := &tee{ReadCloser: r.Body, mirrors: m, launch: launch, copies: len(sends), length: r.Length}
	r.Body = t
	return t.abandon
}

// launch takes over what the tee held of the body, until the last copy is gone.
func (m *Mirrors) launch(r *exchange.Request, body []byte, sends []Send) {
	var copies atomic.Int64
	copies.Store(int64(len(sends)))
	gone := func() {
		if copies.Add(-1) == 0 {
			m.held.Add(-int64(len(body)))
		}
	}
	for _, send := range sends {
		if m.waiting.Add(1) > maxWaiting {
			m.waiting.Add(-1)
			m.dropped()
			gone()
			continue
		}
		own := *r
		own.Header, own.Length = r.Header.Clone(), int64(len(body))
		own.Body = io.NopCloser(bytes.NewReader(body))
		m.group.Go(func() {
			defer gone()
			m.run(&own, send)
		})
	}
}

func (m *Mirrors) run(r *exchange.Request, send Send) {
	defer m.waiting.Add(-1)
	select {
	case m.running <- struct{}{}:
		defer func() { <-m.running }()
	case <-m.ctx.Done():
		m.dropped()
		return
	}
	ctx, cancel := context.WithTimeout(m.ctx, patience)
	defer cancel()
	send(ctx, r)
}

// tee keeps what passes, and launches the copies at the body's end. It is read
// by one and may be abandoned by another meanwhile.
type tee struct {
	io.ReadCloser
	mirrors *Mirrors
	launch  func([]byte)
	copies  int
	// length is the body's; -1 is unknown.
	length int64

	mu   sync.Mutex
	kept bytes.Buffer
	over bool
}

// Read never waits for a copy.
func (t *tee) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		t.keep(p[:n], err)
	}
	return n, err
}

// abandon gives up on a body that was not read to its end.
func (t *tee) abandon() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		t.giveUp()
	}
}

func (t *tee) keep(b []byte, err error) {
	held := t.mirrors.held.Add(int64(len(b)))
	t.kept.Write(b)
	if t.kept.Len() > maxBody || held > maxHeld {
		t.giveUp()
		return
	}
	// Who knows the length of a body may not ask for the end behind it.
	if err == nil && int64(t.kept.Len()) == t.length {
		err = io.EOF
	}
	switch err {
	case nil:
	case io.EOF: //nolint:errorlint // A reader's io.EOF is never wrapped.
		t.over = true
		t.launch(t.kept.Bytes())
	default:
		t.giveUp()
	}
}

func (t *tee) giveUp() {
	t.over = true
	t.mirrors.held.Add(-int64(t.kept.Len()))
	t.kept = bytes.Buffer{}
	for range t.copies {
		t.mirrors.dropped()
	}
}
