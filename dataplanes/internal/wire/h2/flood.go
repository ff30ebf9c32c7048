package h2

import "time"

// patience is how much useless work a peer may still cause. It is earned by
// frames of answers and by time, so that only a peer that does little else than
// to waste ours loses it.
type patience struct {
	left, most, rate int
	since            time.Time
}

// What a peer pays for.
const (
	costFrame    = 1
	costPing     = 2
	costSettings = 10
	costReset    = 5
	costBlock    = 10
	// earnFrame is for what may come of one frame: those who measure a line (gRPC's
	// and Rust's clients and servers) answer each with a ping and two windows.
	earnFrame = 8
	// earnOctets is how much content earns one more: clients that read it in small
	// steps open their windows in small steps.
	earnOctets = 1 << 10
)

// earn is for a frame of an answer with n octets of content.
func (p *patience) earn(n int) { p.left = min(p.left+earnFrame+n/earnOctets, p.most) }

// spend reports whether a peer may go on. It looks at the clock only when it
// must.
func (p *patience) spend(cost int) bool {
	p.left -= cost
	if p.left >= 0 {
		return true
	}
	now := time.Now()
	if !p.since.IsZero() {
		forgotten := min(now.Sub(p.since).Seconds()*float64(p.rate), float64(p.most))
		p.left += int(forgotten)
	}
	p.since = now
	return p.left >= 0
}
