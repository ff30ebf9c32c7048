package h2

import (
	"net"
	"time"

	"golang.org/x/net/http2"
)

// backend is a connection with a backend.
type backend struct {
	link
	pool   *Pool
	nextID uint32
	// busy counts the places that were taken, streams included.
	busy int
	// gone says that no stream can begin any more.
	gone bool
	// opening is who waits until the backend's SETTINGS have come; nil from then on.
	opening *dialing
	began   time.Time
}

var _ role = (*backend)(nil)

// helloTime is how long a backend may take until its SETTINGS have come.
const helloTime = 10 * time.Second

func newBackend(p *Pool, c net.Conn) *backend {
	b := &backend{pool: p, nextID: 1, began: time.Now()}
	b.limits, b.role, b.eager = &p.limits, b, true
	b.timeouts = Timeouts{Idle: p.IdleTimeout, Ping: p.Ping}
	b.prepare(c)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.out.buf = append(b.out.room(), preface...)
	b.out.buf = appendSettings(b.out.buf, []http2.Setting{
		{ID: http2.SettingEnablePush, Val: 0},
		{ID: http2.SettingInitialWindowSize, Val: uint32(p.limits.firstWindow())},
		{ID: http2.SettingMaxHeaderListSize, Val: p.limits.listBytes()},
	})
	b.open(int64(p.limits.ConnWindow))
	return b
}

// run reads until the connection ends.
func (b *backend) run() {
	b.mu.Lock()
	b.kick()
	b.mu.Unlock()
	why := weakness(b.conn.Conn)
	if why == nil {
		why = b.first()
	}
	if why != nil {
		b.pool.failed(b.opened(), why)
	} else {
		b.pool.opened(b.opened(), b)
		why = b.loop()
		b.close()
		b.pool.remove(b)
	}
	b.shutdown(why)
}

// first reads the backend's SETTINGS, which come before all else.
func (b *backend) first() *Error {
	h, err := b.framer.ReadFrameHeader()
	if err != nil {
		return b.unread(err)
	}
	if h.Type != http2.FrameSettings || h.Flags.Has(http2.FlagSettingsAck) {
		return errPreface
	}
	f, err := b.framer.ReadFrameForHeader(h)
	if err != nil {
		return b.unread(err)
	}
	return b.take(f)
}

func (b *backend) opened() *dialing {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.opening
	b.opening = nil
	return d
}

func (b *backend) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = true
}

// reserve takes a place for a stream.
func (b *backend) reserve() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.hasPlace() {
		return false
	}
	b.busy++
	return true
}

// leaves reports whether no stream can begin any more.
func (b *backend) leaves() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.gone || b.dead != nil
}

// free reports whether there is a place.
func (b *backend) free() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hasPlace()
}

// hasPlace looks at what waits to be written too: requests that are given up make
// room for others at once, but what was said for them is still there.
func (b *backend) hasPlace() bool {
	return !b.gone && b.dead == nil && b.busy < b.most() && len(b.out.buf) <= outMost
}

// bars reports whether the backend allows no stream.
func (b *backend) bars() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.gone && b.dead == nil && b.most() == 0
}

func (b *backend) most() int { return int(min(b.peer.streams, uint32(b.limits.Streams))) }

// giveUp gives a place back of which nothing was made.
func (b *backend) giveUp() {
	b.mu.Lock()
	b.busy--
	b.mu.Unlock()
	b.pool.signal()
}

func (b *backend) freed() {
	b.busy = max(b.busy-1, 0)
	b.pool.signal()
	if b.gone && len(b.streams) == 0 && b.busy == 0 && !b.out.closeAfter {
		b.out.closeAfter = true
		b.kick()
	}
}

// ask sends a ping along with the first request after a long silence: what is
// between us may have forgotten the connection.
func (b *backend) ask() {
	if b.timeouts.Ping <= 0 || b.pinged {
		return
	}
	now := time.Now()
	if now.Sub(b.heard) < b.timeouts.Ping {
		return
	}
	b.heard = now.Add(-b.timeouts.Ping)
	b.askPing([8]byte{'a', 'l', 'i', 'v', 'e'})
	b.conn.SetReadDeadline(now.Add(b.timeouts.Ping))
}

func (b *backend) eased() { b.pool.signal() }

func (b *backend) pong([8]byte) {}

// goAway ends the streams that the backend will not look at.
func (b *backend) goAway(last uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = true
	b.pool.signal()
	for id, s := range b.streams {
		if id > last {
			b.forget(s, byPeer)
			s.kill(errUnprocessed)
		}
	}
	if len(b.streams) == 0 && b.busy == 0 {
		b.out.closeAfter = true
		b.kick()
	}
}

func (b *backend) due() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := &b.timeouts
	switch {
	case b.opening != nil:
		return later(b.began, helloTime)
	case len(b.streams) == 0:
		return later(b.idleSince, t.Idle)
	case t.Ping <= 0:
		return later(time.Now(), t.Idle)
	case b.pinged:
		return later(b.heard, 2*t.Ping)
	default:
		return later(b.heard, t.Ping)
	}
}

func (b *backend) late(now time.Time) *Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.opening != nil:
		return errPrefaceSlow
	case b.busy == 0:
		b.gone = true
		return errIdle
	case len(b.streams) > 0 && b.timeouts.Ping > 0:
		return b.silent(now)
	default:
		return nil
	}
}
