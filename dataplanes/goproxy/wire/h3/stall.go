package h3

import (
	"net/http"
	"sync"
	"time"
)

// stall gives up on a client that keeps an exchange waiting: one that sends
// nothing of a body that is being read, or takes nothing of what is written. It
// counts only while something waits, so a stream may be silent for as long as
// it likes.
type stall struct {
	control *http.ResponseController
	bound   time.Duration

	mu            sync.Mutex
	reads, writes waiting
	// over is true once the exchange has ended: its writer then takes no more.
	over bool
}

// waiting is one direction of an exchange.
type waiting struct {
	timer *time.Timer
	// on is true while somebody waits, off where nobody is to be given up on.
	on, off bool
	until   time.Time
	cut     bool
}

// begin notes that a direction waits.
func (s *stall) begin(w *waiting) {
	if s.bound <= 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.off || s.over {
		return
	}
	w.on, w.until = true, time.Now().Add(s.bound)
	if w.timer == nil {
		w.timer = time.AfterFunc(s.bound, func() { s.look(w) })
	}
}

// done notes that a direction waits no more, and says whether it was cut.
func (s *stall) done(w *waiting) bool {
	if s.bound <= 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w.on = false
	return w.cut
}

// look is the timer's. It runs once a bound and not once a wait, which would
// cost two changes of the timer for each piece of a body.
func (s *stall) look(w *waiting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := time.Until(w.until)
	switch {
	case s.over || w.off:
	case !w.on:
		w.timer = nil
	case left > 0:
		w.timer.Reset(left)
	default:
		w.cut = true
		s.interrupt(w)
	}
}

// interrupt ends what waits: its deadline has passed.
func (s *stall) interrupt(w *waiting) {
	if w == &s.reads {
		_ = s.control.SetReadDeadline(time.Unix(1, 0))
		return
	}
	_ = s.control.SetWriteDeadline(time.Unix(1, 0))
}

// listen stops counting what a client sends: what it is sent may be what it
// waits for.
func (s *stall) listen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads.off = true
}

// end counts no more: quic-go has nothing to interrupt once its handler ended.
func (s *stall) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	for _, w := range []*waiting{&s.reads, &s.writes} {
		if w.timer != nil {
			w.timer.Stop()
		}
	}
}

// afterwards bounds what quic-go does after the handler, which is to write what
// it has buffered.
func (s *stall) afterwards(buffered bool) {
	if !s.reads.cut && buffered {
		s.hurry(s.control.SetWriteDeadline)
	}
}

// hurry gives quic-go as long as a client may stall for all that it does.
func (s *stall) hurry(deadline func(time.Time) error) {
	if s.bound > 0 {
		_ = deadline(time.Now().Add(s.bound))
	}
}
