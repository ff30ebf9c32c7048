package h2

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// stream is one exchange as both sides of a connection see it. Its fields are
// guarded by the link's lock.
type stream struct {
	link *link
	id   uint32
	cond sync.Cond
	// dead is why the stream ended before both sides had; nothing more is sent or
	// read.
	dead *Error
	// localEnd and remoteEnd say who has ended its side.
	localEnd, remoteEnd bool

	sendWindow int64
	// recvWindow is what the peer may still send; unreported what of it was read
	// and not given back yet. window is how much may lie between the two.
	recvWindow, unreported, window int64
	in                             inbox
	// length is what the peer has said that its content has; -1 for nothing.
	length, received int64
	// deaf says that nobody will read what still comes, patient that the peer may
	// be silent.
	deaf    bool
	patient bool
	trailer exchange.Header
	timer   *time.Timer
	tickAt  time.Time

	// Of these one is set.
	serving *serving
	calling *calling
}

func (s *stream) init(l *link, id uint32) {
	s.link, s.id, s.length = l, id, -1
	s.cond.L = &l.mu
	s.sendWindow, s.window = l.peer.window, l.limits.firstWindow()
	s.recvWindow = s.window
}

// wait waits for a change, at most until a time; the zero time is no bound.
func (s *stream) wait(until time.Time) error {
	if !until.IsZero() {
		now := time.Now()
		if !now.Before(until) {
			return os.ErrDeadlineExceeded
		}
		s.tickBy(now, until)
	}
	s.cond.Wait()
	return nil
}

// tickBy sees to it that those who wait look at the time.
func (s *stream) tickBy(now, until time.Time) {
	if s.tickAt.After(now) && !s.tickAt.After(until) {
		return
	}
	s.tickAt = until
	if s.timer == nil {
		s.timer = time.AfterFunc(until.Sub(now), s.tick)
		return
	}
	s.timer.Reset(until.Sub(now))
}

func (s *stream) tick() {
	s.link.mu.Lock()
	s.tickAt = time.Time{}
	s.cond.Broadcast()
	s.link.mu.Unlock()
}

func after(d time.Duration) time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return time.Now().Add(d)
}

// bound is until when a read may wait. Zero fields are none.
type bound struct {
	// patience is for what a peer that may be silent need not keep.
	patience time.Duration
	until    time.Time
}

func (b bound) from(patient bool) time.Time {
	until := b.until
	if !patient && b.patience > 0 {
		if at := time.Now().Add(b.patience); until.IsZero() || at.Before(until) {
			until = at
		}
	}
	return until
}

// readBody reads what has come of the content, and waits where nothing has.
func (s *stream) readBody(p []byte, b bound) (int, error) {
	l := s.link
	l.mu.Lock()
	defer l.mu.Unlock()
	var until time.Time
	shut := l.shutFor()
	for first := true; ; first = false {
		switch {
		case s.in.n > 0 && s.dead == nil:
			n := s.in.read(p)
			s.consumed(n)
			return n, s.endOfBody()
		case s.dead != nil:
			return 0, s.dead
		case s.deaf:
			return 0, io.ErrClosedPipe
		case s.remoteEnd:
			return 0, io.EOF
		}
		if first {
			until = b.from(s.patient)
		}
		if s.wait(until) == nil {
			continue
		}
		if now := l.shutFor(); now > shut && b.until.IsZero() {
			// It was not the peer that was waited for.
			shut, until = now, b.from(s.patient)
			continue
		}
		// The peer may have been allowed to be silent meanwhile.
		if until = b.from(s.patient); !s.patient || !until.IsZero() && !time.Now().Before(until) {
			return 0, errSlow
		}
	}
}

// endOfBody is io.EOF if what was read just now was the last.
func (s *stream) endOfBody() error {
	if s.in.n == 0 && s.remoteEnd {
		return io.EOF
	}
	return nil
}

// consumed gives back the window of what was read. Small amounts are gathered. A
// window grows where its reader keeps up, so that those who do not hold little.
func (s *stream) consumed(n int) {
	l := s.link
	s.unreported += int64(n)
	if !s.remoteEnd && s.dead == nil && s.unreported >= s.window/4 {
		if s.in.n == 0 {
			more := min(s.window, int64(l.limits.StreamWindow)-s.window)
			s.window, s.unreported = s.window+more, s.unreported+more
		}
		s.recvWindow += s.unreported
		l.out.buf = appendIncrement(l.out.room(), s.id, s.unreported)
		s.unreported = 0
		l.kick()
	}
	if !l.eager {
		l.credit(int64(n))
	}
}

// discard throws away what nobody will read.
func (s *stream) discard() {
	s.deaf = true
	if n := s.in.drop(); n > 0 && !s.link.eager {
		s.link.credit(int64(n))
	}
	s.cond.Broadcast()
}

// receive takes content that came.
func (s *stream) receive(p []byte) *Error {
	s.received += int64(len(p))
	switch {
	case s.length >= 0 && s.received > s.length:
		return errLengthBroken
	case s.deaf:
		s.link.creditUnread(int64(len(p)))
	default:
		s.in.put(p)
	}
	return nil
}

// endRemote notes the end of the peer's side.
func (s *stream) endRemote() *Error {
	if s.length >= 0 && s.received != s.length {
		return errLengthBroken
	}
	s.remoteEnd = true
	s.cond.Broadcast()
	s.settle()
	return nil
}

// settle forgets a stream of which both sides have ended.
func (s *stream) settle() {
	if s.localEnd && s.remoteEnd {
		s.link.forget(s, byEnd)
	}
}

// kill ends a stream on our side alone; the caller tells the peer.
func (s *stream) kill(why *Error) {
	if s.dead != nil {
		return
	}
	s.dead = why
	s.cond.Broadcast()
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.serving != nil {
		s.serving.ctx.end()
	}
}

// reset ends a stream and tells the peer why.
func (s *stream) reset(why *Error) {
	l := s.link
	if s.dead != nil || l.streams[s.id] != s {
		s.kill(why)
		return
	}
	l.out.buf = appendReset(l.out.room(), s.id, why.Code)
	l.kick()
	l.forget(s, byUs)
	s.kill(why)
}

// send appends content to what is to be written, as windows and room allow.
func (s *stream) send(p []byte, end bool) error {
	l := s.link
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		n, err := s.allowance(len(p))
		if err != nil {
			return err
		}
		last := n == len(p)
		s.sendWindow -= int64(n)
		l.sendWindow -= int64(n)
		l.out.buf = appendData(l.out.room(), s.id, p[:n], end && last)
		l.patience.earn(n)
		if p = p[n:]; last {
			break
		}
	}
	if end {
		s.endLocal()
	}
	l.kick()
	return nil
}

func (s *stream) endLocal() {
	s.localEnd = true
	s.settle()
}

// allowance waits until some of n octets may be sent, and returns how many.
func (s *stream) allowance(n int) (int, error) {
	l := s.link
	var until time.Time
	for first := true; ; first = false {
		if s.dead != nil {
			return 0, s.dead
		}
		if l.out.err != nil {
			return 0, l.out.err
		}
		if s.localEnd {
			return 0, errReset
		}
		may := min(int64(n), s.sendWindow, l.sendWindow, l.peer.frame)
		if (may > 0 || n == 0) && len(l.out.buf) < outLimit {
			// An end needs no window, which may be below zero.
			return int(max(may, 0)), nil
		}
		if first {
			until = after(l.timeouts.Write)
		}
		l.kick()
		l.waiting = append(l.waiting, s)
		if s.wait(until) != nil {
			s.reset(errSlowReader)
		}
	}
}
