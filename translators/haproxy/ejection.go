package haproxy

import (
	"time"
)

// eject leaves out endpoints that cannot be connected to. HAProxy counts the
// connections that have failed in a row, and takes an endpoint back when it can be
// connected to again: it looks by itself, so that no request has to. It never looks
// at endpoints that are in use.
func (u *upstream) eject() {
	e := u.backend.Ejection
	if e == nil {
		return
	}
	p := &u.params
	p.Check, p.Observe, p.OnError = "enabled", "layer4", "mark-down"
	p.ErrorLimit = int64(max(1, e.Failures))
	p.Rise, p.Fall = number(1), number(1)
	p.Inter = number(int64(never / time.Millisecond))
	base := number(max(int64(1), int64(time.Duration(e.BaseTime)/time.Millisecond)))
	p.Fastinter, p.Downinter = base, base
}
