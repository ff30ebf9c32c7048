package h3

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/pace"
)

// errSlow is a client that takes less than it must.
var errSlow = errors.New("the client takes too little of the response")

// stall gives up on a client that keeps an exchange waiting: one that sends
// nothing of a body that is being read, or takes nothing of what is written, or
// too little in each second of that. It counts only while something waits, so a
// stream may be silent for as long as it likes.
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
	on, off      bool
	since, until time.Time
	cut          bool
	pace         pace.Pace
}

func newStall(control *http.ResponseController, config *Config) *stall {
	bound := time.Duration(config.Timeouts.Stall)
	least := pace.Pace{Least: config.Limits.MinBodyBytesPerSecond, Grace: bound}
	return &stall{control: control, bound: bound, reads: waiting{pace: least}, writes: waiting{pace: least}}
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
	w.on, w.since = true, time.Now()
	w.until = w.since.Add(s.bound)
	if w.timer == nil {
		w.timer = time.AfterFunc(s.bound, func() { s.look(w) })
	}
}

// done notes that a direction waits no more, and that n octets have moved. It
// says whether the client is to be given up.
func (s *stall) done(w *waiting, n int) bool {
	if s.bound <= 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	judged := w.on && !w.off
	w.on = false
	tooSlow := judged && w.pace.Waited(time.Since(w.since), n)
	return tooSlow || w.cut && n == 0
}

// resume has writes go on after a wait that was cut, but in which something
// moved. It is false where none was.
func (s *stall) resume() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.writes.cut
	if s.writes.cut = false; was {
		_ = s.control.SetWriteDeadline(time.Time{})
	}
	return was
}

// write has all of a piece written, for as long as the client takes of it. An
// empty piece is what comes without a body: it must be taken within the bound.
func (s *stall) write(piece []byte, to func([]byte) (int, error)) (sent int, err error) {
	for {
		s.begin(&s.writes)
		n, err := to(piece[sent:])
		sent += n
		if s.done(&s.writes, n) && len(piece) > 0 {
			return sent, errSlow
		}
		if resumed := s.resume(); err == nil || !resumed || n == 0 {
			return sent, err
		}
	}
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

// forgive asks for no rate: what is written is a tunnel's, which may be slow.
func (s *stall) forgive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes.pace = pace.Pace{}
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
// it has buffered, a header without a body and the trailer.
func (s *stall) afterwards() {
	if s.bound > 0 {
		_ = s.control.SetWriteDeadline(time.Now().Add(s.bound))
	}
}
