package h2

import (
	"io"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/pace"
)

// serving is a stream of a client. It outlives its exchange as an object, so
// that whoever still holds its body or its context touches no other.
type serving struct {
	stream
	session *session
	ctx     exchangeContext
	head    *requestHead
	// refusal is why the request must not be served.
	refusal *Error
	// expects says that the client waits for 100 before it sends content; begun
	// that the answer has begun.
	expects, begun bool
	gotTrailer     exchange.Header
	// sent is how much content was, status what was answered in the handler's place.
	sent   int64
	status int
	ender  exchange.Ender
	answer *exchange.Response
	// pace judges how fast the content comes.
	pace pace.Pace
}

var (
	_ task              = (*serving)(nil)
	_ io.ReadCloser     = (*serving)(nil)
	_ exchange.Gatherer = (*serving)(nil)
	_ exchange.Interim  = (*serving)(nil)
)

var heads = sync.Pool{New: func() any { return new(requestHead) }}

func newServing(s *session, id uint32) *serving {
	sv := &serving{session: s, head: heads.Get().(*requestHead)} //nolint:errcheck,forcetypeassert // The pool holds nothing else.
	sv.init(&s.link, id)
	sv.serving = sv
	sv.pace = pace.Pace{Least: s.limits.Rate, Grace: s.timeouts.Read}
	sv.ctx.Context = s.ctx //nolint:fatcontext // Each stream has one of its own.
	return sv
}

// free gives back what was pooled.
func (sv *serving) free() {
	sv.head.reset()
	heads.Put(sv.head)
	sv.head = nil
}

// run is the exchange.
func (sv *serving) run() {
	defer sv.finish()
	defer sv.closeAnswer()
	defer sv.recover()
	in := exchange.Incoming{Request: &sv.head.request, Conn: sv.session.about}
	if why := sv.refusal; why != nil {
		in.Refused, in.Reason = why.Status, why.Reason
	}
	answer := sv.session.server.Handler.Serve(&sv.ctx, in)
	sv.ender = answer.Ender
	sv.answer = answer.Response
	sv.done(sv.write(answer.Response))
}

// closeAnswer gives the answer back, whose strings end with it.
func (sv *serving) closeAnswer() {
	if sv.answer == nil {
		return
	}
	// The answer is another's once it was closed.
	body, tunnel := sv.answer.Body, sv.answer.Tunnel
	sv.answer = nil
	if body != nil {
		body.Close()
	}
	if tunnel != nil {
		tunnel.Close()
	}
}

// done tells of the end of an answer, once.
func (sv *serving) done(err error) {
	if ender := sv.ender; ender != nil {
		sv.ender = nil
		ender.Done(exchange.Sent{Bytes: sv.sent, Status: sv.status, Err: err})
	}
}

// recover keeps a panic of one exchange from ending the others.
func (sv *serving) recover() {
	v := recover()
	if v == nil {
		return
	}
	sv.link.mu.Lock()
	sv.reset(errHandler)
	sv.link.mu.Unlock()
	sv.done(errHandler)
	if panicked := sv.session.server.Panicked; panicked != nil {
		panicked(v)
	}
}

// finish ends the stream, whatever its state. A client that has not sent all of
// its request is told that the rest is not needed (RFC 9113, section 8.1).
func (sv *serving) finish() {
	s := sv.session
	s.mu.Lock()
	if sv.dead == nil && !sv.localEnd {
		sv.reset(errHandler)
	}
	if sv.dead == nil && !sv.remoteEnd {
		sv.reset(errAnswered)
	}
	sv.in.reclaim()
	sv.discard()
	if sv.timer != nil {
		sv.timer.Stop()
	}
	if s.active--; s.active == 0 {
		s.drained.Broadcast()
	}
	s.mu.Unlock()
	sv.ctx.end()
	sv.free()
}

// Read reads the request's content. The first read asks a client for it that
// waits to be asked (RFC 9110, section 10.1.1).
func (sv *serving) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if sv.expects {
		sv.ask()
	}
	began := sv.waitedAt()
	n, err := sv.readBody(p, bound{patience: sv.session.timeouts.Read})
	if sv.over() {
		return 0, exchange.ErrBodyTooLarge
	}
	switch {
	case err == nil && sv.tooSlow(began, n):
		return 0, exchange.ErrStalled
	case err == io.EOF: //nolint:errorlint // It is never wrapped.
		sv.gotTrailer = sv.trailer
	case err == errSlow: //nolint:errorlint // It is never wrapped.
		err = exchange.ErrStalled
	}
	return n, err
}

// waitedAt is from when on a client is waited for: a time, and for how long it
// could not send until then, which is not its fault.
type waitedAt struct {
	time time.Time
	shut time.Duration
}

func (sv *serving) waitedAt() waitedAt {
	if !sv.pace.On() {
		return waitedAt{}
	}
	sv.link.mu.Lock()
	defer sv.link.mu.Unlock()
	return waitedAt{time.Now(), sv.link.shutFor()}
}

// tooSlow judges a client that was waited for since a time.
func (sv *serving) tooSlow(since waitedAt, n int) bool {
	if !sv.pace.On() {
		return false
	}
	sv.link.mu.Lock()
	defer sv.link.mu.Unlock()
	wait := time.Since(since.time) - (sv.link.shutFor() - since.shut)
	return !sv.patient && sv.pace.Waited(max(wait, 0), n)
}

// over reports whether more has come than may.
func (sv *serving) over() bool {
	limit := sv.session.limits.BodyBytes
	if limit <= 0 {
		return false
	}
	sv.link.mu.Lock()
	defer sv.link.mu.Unlock()
	return sv.received > limit
}

// Close says that nobody will read the content.
func (sv *serving) Close() error {
	l := sv.link
	l.mu.Lock()
	defer l.mu.Unlock()
	sv.discard()
	return nil
}

// Whole returns the content, if all of it has come and nothing was read of it. It
// stays where it is until the exchange ends, whatever its client does.
func (sv *serving) Whole() ([]byte, bool) {
	l := sv.link
	l.mu.Lock()
	defer l.mu.Unlock()
	limit := sv.session.limits.BodyBytes
	if !sv.remoteEnd || sv.dead != nil || sv.deaf || len(sv.trailer) > 0 || len(sv.in.chunks) > 1 ||
		int64(sv.in.n) != sv.received || limit > 0 && sv.received > limit {
		return nil, false
	}
	sv.in.lent = true
	return sv.in.front(), true
}

// mostGathered is the length of a body that is waited for before a backend is
// asked: it is sent together with its head.
const mostGathered = bufferSize / 2

// Gather waits for a short body of known length.
func (sv *serving) Gather(until time.Time) error {
	l := sv.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if sv.length < 0 || sv.length > mostGathered || sv.expects {
		return nil
	}
	stalled := after(sv.session.timeouts.Read)
	ours := !until.IsZero() && (stalled.IsZero() || until.Before(stalled))
	if ours {
		stalled = until
	}
	shut := l.shutFor()
	for !sv.remoteEnd && sv.dead == nil && !sv.deaf && sv.received < sv.length {
		if sv.wait(stalled) == nil {
			continue
		}
		if now := l.shutFor(); now > shut && !ours {
			// It was not the client that was waited for.
			shut, stalled = now, after(sv.session.timeouts.Read)
			continue
		}
		if ours {
			return errBackendSlow
		}
		return exchange.ErrStalled
	}
	if sv.dead != nil {
		return sv.dead
	}
	return nil
}

// refuse makes a request that can be told about of one that must not be served.
func (sv *serving) refuse(why *Error) {
	q := &sv.head.request
	sv.refusal, sv.length, sv.expects = why, -1, false
	if q.Path == "" {
		q.Path = "/"
	}
	q.Body, q.Trailer, q.Length, q.Upgrade = exchange.NoBody{}, nil, 0, ""
}

// Send sends a response before the final one, if there is room for it.
func (sv *serving) Send(status int, header exchange.Header) {
	l := sv.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if sv.begun || sv.dead != nil || sv.localEnd || l.out.err != nil || len(l.out.buf) > outLimit || !writable(header) {
		return
	}
	sv.appendHead(headOut{status: status, header: header, length: -1})
	l.kick()
}

func (sv *serving) ask() {
	l := sv.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if !sv.expects || sv.begun || sv.dead != nil || sv.received > 0 || sv.remoteEnd {
		sv.expects = false
		return
	}
	sv.expects = false
	sv.appendHead(headOut{status: 100})
	l.kick()
}
