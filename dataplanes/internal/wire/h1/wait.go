package h1

import (
	"errors"
	"os"
	"time"
)

// wait reads once there is something to read. After a moment the connection is
// parked, if it can be.
func (s *session) wait() bool {
	for parkable := s.parkable(); ; parkable = false {
		now := time.Now()
		if s.conn.ReadWithin(now, s.toWait(now, parkable)) != nil {
			return false
		}
		err := s.in.await(s.conn)
		if err == nil {
			return true
		}
		late := errors.Is(err, os.ErrDeadlineExceeded) && !s.conn.Interrupted()
		if !late || !parkable || !s.due.IsZero() && !time.Now().Before(s.due) || s.park() {
			return false
		}
	}
}

// parkable is false before a handshake of TLS, which cannot be gone on with once
// a read of it has timed out.
func (s *session) parkable() bool {
	return s.conn.Parkable() && (s.served || s.about.TLS || !s.conn.Over())
}

// toWait returns how long the next read may take; 0 is no bound.
func (s *session) toWait(now time.Time, parkable bool) time.Duration {
	patience := s.server.Timeouts.Idle
	if !s.served && s.server.Timeouts.Head > 0 {
		patience = s.server.Timeouts.Head
	}
	if s.due.IsZero() && patience > 0 {
		s.due = now.Add(patience)
	}
	switch {
	case s.due.IsZero() && !parkable:
		return 0
	case s.due.IsZero():
		return s.moment
	case parkable:
		return max(min(s.due.Sub(now), s.moment), 1)
	default:
		return max(s.due.Sub(now), 1)
	}
}
