package h1

import (
	"errors"
	"io"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// answer writes an answer and closes its body. It reports whether another
// request can follow.
func (s *session) answer(w *work, answer exchange.Answer) bool {
	p := answer.Response
	if p.Tunnel != nil || p.Status == 101 {
		return s.switchProtocols(w, answer)
	}
	// The backend may have taken its time.
	w.now = time.Now()
	again := !w.head.Close && !p.Close && !s.server.draining.Load()
	rest := bodyGone
	if w.body != nil {
		rest = w.body.answered()
		again = again && rest != bodyInWork
	}
	out := ResponseOutput{
		Response: p, Method: w.head.Request.Method, Minor: w.head.Minor, Close: !again, Now: w.now,
	}
	snd := sender{
		to: s.conn, body: p.Body, framing: out.Framing(), length: p.Length, trailer: p.Trailer,
		timeout: s.server.Timeouts.Write, now: w.now,
	}
	if snd.framing == UntilClose {
		again, out.Close = false, true
	}
	s.streams.Store(p.Length < 0 && snd.framing != NoBody)
	broken, err := s.deliver(w, answer, &out, &snd)
	if again && err == nil && rest == bodyShort {
		again = w.body.drop()
	}
	s.finish(w)
	if broken != 0 {
		s.plainAnswer(w, broken)
		return false
	}
	if !again && err == nil {
		s.linger()
	}
	return again && err == nil
}

// deliver writes an answer, and tells of its end and closes its body, also where
// something panics. Broken is what is to be answered in its place, 0 for nothing.
func (s *session) deliver(w *work, answer exchange.Answer, out *ResponseOutput, snd *sender) (broken int, err error) {
	err = errPanic
	defer func() {
		if answer.Ender != nil {
			answer.Ender.Done(exchange.Sent{Bytes: snd.sent, Status: broken, Err: err})
		}
		if body := answer.Response.Body; body != nil {
			body.Close()
		}
	}()
	if err = s.write(w, out, snd); err != nil && !snd.wrote && !connectionLost(err) {
		broken = brokenStatus(err)
	}
	return broken, err
}

// errPanic is what an answer ends with whose body has panicked.
var errPanic = errors.New("http/1.1: the answer panicked")

func (s *session) write(w *work, out *ResponseOutput, snd *sender) error {
	head, err := AppendResponse(w.out[:0], out)
	if err != nil {
		return err
	}
	if cap(head) <= 4*bufferSize {
		w.out = head[:0]
	}
	err = snd.send(head)
	return err
}

// connectionLost reports whether it was the client that an answer could not be
// sent to: there is nobody to tell.
func connectionLost(err error) bool {
	var why *Error
	return !errors.Is(err, errSource) && !errors.As(err, &why)
}

// brokenStatus is what is answered in the place of an answer of which nothing
// could be sent.
func brokenStatus(err error) int {
	var why *Error
	if errors.As(err, &why) && why.Status >= 500 {
		return why.Status
	}
	return 502
}

// switchProtocols answers 101 and moves octets until both sides have ended. What
// the client has said before it was answered is the first of it: it asked for
// this protocol, and no other answer lets anything follow.
func (s *session) switchProtocols(w *work, answer exchange.Answer) bool {
	p := answer.Response
	if p.Body != nil {
		defer p.Body.Close()
	}
	sent, err := int64(0), error(errUnasked)
	defer func() {
		if answer.Ender != nil {
			answer.Ender.Done(exchange.Sent{Bytes: sent, Err: err})
		}
		if p.Tunnel != nil {
			p.Tunnel.Close()
		}
	}()
	if p.Tunnel == nil || w.head.Request.Upgrade == "" {
		s.plainAnswer(w, errUnasked.Status)
		return false
	}
	s.glances.Store(0)
	out := ResponseOutput{Response: p, Method: w.head.Request.Method, Minor: 1, Upgrade: w.head.Request.Upgrade, Now: w.now}
	head, err := AppendResponse(w.out[:0], &out)
	if err == nil {
		_, err = s.conn.Send(head, time.Now(), s.server.Timeouts.Write)
	}
	if err == nil {
		sent, err = s.tunnel(p.Tunnel)
	}
	return false
}

// tunnel moves octets both ways, and returns how many went to the client.
func (s *session) tunnel(backend io.ReadWriteCloser) (int64, error) {
	t := &tunnel{
		idle: s.server.Timeouts.Tunnel, stall: s.server.Timeouts.Write,
		client: s.conn, early: s.in.buffered(), backend: backend,
	}
	return t.run()
}
