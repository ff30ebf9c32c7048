package kube

import "time"

const (
	// calm is how long nothing may change before mere counts are written, and
	// restless how long changes may put that off. Counts are right within calm of
	// the last change.
	calm     = time.Second
	restless = 8 * time.Second
	// breath is the least time between two writes of one object.
	breath = 200 * time.Millisecond
	// Writing the same again, because somebody else undoes it, takes longer and
	// longer.
	firstAgain = time.Second
	lastAgain  = 5 * time.Minute
)

// pace says when an object's status may be written. The zero value is one that
// never was.
type pace struct {
	// wrote is when it was written last.
	wrote time.Time
	// first and last are when what is wanted changed since then.
	first, last time.Time
	// again is how often the same was written.
	again int
}

// changed notes that something else is wanted.
func (p *pace) changed(now time.Time) {
	p.again = 0
	p.last = now
	if p.first.IsZero() {
		p.first = now
	}
}

// written notes a write.
func (p *pace) written(now time.Time) {
	p.wrote, p.first, p.last = now, time.Time{}, time.Time{}
	p.again++
}

// wait is how long to wait before a change is written.
func (p *pace) wait(c change, now time.Time) time.Duration {
	if p.wrote.IsZero() {
		return 0
	}
	due := p.wrote.Add(breath)
	if p.again > 0 {
		due = p.wrote.Add(min(firstAgain<<min(p.again-1, 16), lastAgain))
	}
	if c == counts && p.again == 0 {
		due = latest(due, earliest(p.last.Add(calm), p.first.Add(restless)))
	}
	return max(0, due.Sub(now))
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
