package h1

import (
	"errors"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// pump sends a request whose content is still coming.
type pump struct {
	answer *answer
	done   chan struct{}
	// err and fault are to be read when the pump is over. fault is what was wrong
	// with the client's content.
	err, fault error
	// stopping says that the end of the pump is our own doing.
	stopping atomic.Bool
}

func startPump(a *answer, head []byte) *pump {
	p := &pump{answer: a, done: make(chan struct{})}
	q := a.call.Request
	s := &sender{
		to: a.up.conn, body: q.Body, framing: Sized, length: q.Length, trailer: q.Trailer,
		timeout: a.call.Write, now: a.call.Now, until: a.call.Until,
	}
	if q.Length < 0 {
		s.framing = Chunked
	}
	go p.run(s, head)
	return p
}

// run sends the head at once, as content may be long in coming.
func (p *pump) run(s *sender, head []byte) {
	defer close(p.done)
	if p.err = s.write(head); p.err == nil {
		p.err = s.send(head[:0])
	}
	// Without the content there will be no answer to wait for; a backend that no
	// longer wants it may have said why.
	if errors.Is(p.err, errSource) && !p.stopping.Load() {
		p.fault = contentFault(p.err)
		p.answer.up.conn.Interrupt()
	}
}

// over reports whether the pump has ended.
func (p *pump) over() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop ends the pump and waits until it has: it uses the buffers of both
// connections.
func (p *pump) stop() {
	p.stopping.Store(true)
	if !p.over() {
		p.answer.up.conn.Abort()
		p.answer.call.Request.Body.Close()
	}
	<-p.done
}

// failed reports whether the request was not sent whole.
func (p *pump) failed() bool { return p.err != nil }

// contentFault takes errSource off a client's fault.
func contentFault(err error) error {
	var refusal *Error
	switch {
	case errors.Is(err, exchange.ErrBodyTooLarge):
		return exchange.ErrBodyTooLarge
	case errors.Is(err, exchange.ErrStalled):
		return exchange.ErrStalled
	case errors.As(err, &refusal):
		return refusal
	default:
		return errTruncated
	}
}
