package h3

import "time"

// patience is how much useless work a client may still cause. It is earned by
// being answered and by time, as over HTTP/2, so that only a client loses it that
// does little else than to take its requests back.
type patience struct {
	left  int
	since time.Time
}

const (
	mostPatience, patienceRate = 2000, 200
	costReset, earnAnswer      = 5, 2
)

func newPatience() patience { return patience{left: mostPatience} }

// earn is for an answer.
func (p *patience) earn() { p.left = min(p.left+earnAnswer, mostPatience) }

// spend is for a request that was taken back. It reports whether the client may
// go on, and looks at the clock only when it must.
func (p *patience) spend() bool {
	if p.left -= costReset; p.left >= 0 {
		return true
	}
	now := time.Now()
	if !p.since.IsZero() {
		p.left += int(min(now.Sub(p.since).Seconds()*patienceRate, mostPatience))
	}
	p.since = now
	return p.left >= 0
}
