package pace

import "time"

// Pace is one direction of one exchange. It is a bucket: waiting empties it,
// bytes fill it, and an hour of haste earns no hour of leisure. The zero value
// judges nobody.
type Pace struct {
	// Least is in bytes a second; 0 is any.
	Least int
	// Grace is how long may be waited for nothing; 0 judges nobody.
	Grace time.Duration

	owed time.Duration
}

// On says whether anybody is judged.
func (p *Pace) On() bool { return p.Least > 0 && p.Grace > 0 }

// Waited takes down that n bytes came after a wait, and says whether the client
// is too slow by now.
func (p *Pace) Waited(wait time.Duration, n int) (tooSlow bool) {
	if !p.On() {
		return false
	}
	earned := time.Duration(float64(n) / float64(p.Least) * float64(time.Second))
	p.owed = max(0, p.owed+wait-earned)
	return p.owed > p.Grace
}

// Over is how many bytes a single wait of a length must come to; 0 is any.
func Over(least int, wait time.Duration) int { return int(float64(least) * wait.Seconds()) }
