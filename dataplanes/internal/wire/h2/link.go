package h2

import (
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// link is what connections with clients and with backends have in common.
type link struct {
	conn     *rawconn.Conn
	role     role
	limits   *Limits
	timeouts Timeouts
	// eager gives a connection's window back before anybody has read, so that
	// streams that nobody reads do not stop the others.
	eager bool

	// The reader's own.
	in      reader
	framer  *http2.Framer
	decoder *hpack.Decoder
	block   fieldBlock

	mu      sync.Mutex
	flushed sync.Cond
	out     outbox
	enc     encoder
	peer    peer
	streams map[uint32]*stream
	// waiting are the streams that wait for a window or for room.
	waiting []*stream
	closed  graveyard
	// lastID is the highest stream that the client of the two has begun.
	lastID uint32
	// active counts the exchanges whose handler, or caller, is not done yet.
	active int

	sendWindow, recvWindow, unreported int64
	// shutAt is when recvWindow was used up, the zero time while it is not; shut is
	// for how long it was before.
	shutAt   time.Time
	shut     time.Duration
	patience patience
	// dead is why the connection ends.
	dead *Error
	// leaving says that the last GOAWAY was sent.
	leaving, lingering bool
	pinged             bool
	heard              time.Time
	idleSince          time.Time
}

// peer is what the peer's SETTINGS say.
type peer struct {
	window, frame int64
	streams       uint32
	headBytes     uint32
	connect       bool
}

// role is what differs between the two sides.
type role interface {
	// head takes a field block that is whole. It may wait for nothing.
	head(b *fieldBlock) *Error
	// eased is told that more may be possible: the peer's settings have changed, or
	// something was written.
	eased()
	// pong is told of an answer to a ping.
	pong(data [8]byte)
	// goAway is told of the peer's GOAWAY.
	goAway(last uint32)
	// due says when the reader must look at the time; the zero time is never.
	due() time.Time
	// late is called when that has come. Its error ends the connection.
	late(now time.Time) *Error
	// freed is told that a stream has ended.
	freed()
}

func (l *link) prepare(c net.Conn) {
	l.conn = rawconn.New(c)
	l.flushed.L = &l.mu
	l.enc = newEncoder()
	l.peer = peer{window: initialWindow, frame: initialFrame, streams: 1 << 31, headBytes: 1 << 31}
	l.streams = map[uint32]*stream{}
	l.sendWindow, l.recvWindow = initialWindow, initialWindow
	l.patience = patience{left: l.limits.Patience, most: l.limits.Patience, rate: l.limits.PatienceRate, since: time.Now()}
	l.heard = l.patience.since
	l.idleSince = l.heard
	l.in.link = l
	l.newFramer()
	l.decoder = hpack.NewDecoder(tableSize, l.block.add)
	l.decoder.SetMaxStringLength(2 * l.limits.HeadBytes)
	l.block.limits = l.limits
}

func (l *link) newFramer() {
	l.framer = http2.NewFramer(nil, &l.in)
	l.framer.SetReuseFrames()
	l.framer.SetMaxReadFrameSize(bufferSize)
}

// open widens the connection's window from what it begins with.
func (l *link) open(window int64) {
	if n := window - l.recvWindow; n > 0 {
		l.out.buf = appendIncrement(l.out.room(), 0, n)
		l.recvWindow += n
	}
}

// credit gives back a part of the connection's window. Small amounts are
// gathered.
func (l *link) credit(n int64) {
	l.unreported += n
	if l.unreported < int64(l.limits.ConnWindow)/4 || l.out.err != nil {
		return
	}
	l.recvWindow += l.unreported
	l.out.buf = appendIncrement(l.out.room(), 0, l.unreported)
	l.unreported = 0
	if !l.shutAt.IsZero() {
		l.shut, l.shutAt = l.shut+time.Since(l.shutAt), time.Time{}
	}
	l.kick()
}

// shutFor is for how long in all the peer could send no content, as what others
// have not read fills the connection's window.
func (l *link) shutFor() time.Duration {
	if l.shutAt.IsZero() {
		return l.shut
	}
	return l.shut + time.Since(l.shutAt)
}

// creditUnread gives back what was never put into an inbox.
func (l *link) creditUnread(n int64) {
	if !l.eager {
		l.credit(n)
	}
}

func (l *link) wakeWaiting() {
	for i, s := range l.waiting {
		s.cond.Broadcast()
		l.waiting[i] = nil
	}
	l.waiting = l.waiting[:0]
}

// forget takes a stream off the connection.
func (l *link) forget(s *stream, how end) {
	if l.streams[s.id] != s {
		return
	}
	delete(l.streams, s.id)
	l.closed.bury(s.id, how)
	if how != byEnd {
		s.discard()
	}
	if len(l.streams) == 0 {
		l.idleSince = time.Now()
	}
	if s.timer != nil && s.in.n == 0 {
		s.timer.Stop()
	}
	l.role.freed()
}

// leave says goodbye and ends the connection when its streams have ended.
func (l *link) leave(code http2.ErrCode) {
	if l.leaving {
		return
	}
	l.leaving = true
	l.out.buf = appendGoAway(l.out.room(), l.lastOfPeer(), code)
	l.closeIfDone()
	l.kick()
}

// lastOfPeer is for GOAWAY: backends begin no streams.
func (l *link) lastOfPeer() uint32 {
	if l.eager {
		return 0
	}
	return l.lastID
}

// closeIfDone ends a connection that leaves and has no stream any more.
func (l *link) closeIfDone() {
	if l.leaving && len(l.streams) == 0 && !l.out.closeAfter {
		l.out.closeAfter = true
		l.kick()
	}
}

// abort ends every stream, as the connection has. The caller holds the lock.
func (l *link) abort(why *Error) {
	if l.dead == nil {
		l.dead = why
	}
	for id, s := range l.streams {
		delete(l.streams, id)
		s.kill(why)
		s.discard()
	}
	l.wakeWaiting()
	l.role.freed()
}

// loop reads until the connection ends, and says why it has.
func (l *link) loop() *Error {
	for {
		err := l.step()
		if err == nil {
			continue
		}
		switch err.Scope {
		case OfConnection:
			return err
		default:
			return errFraming
		}
	}
}

// shutdown tells the peer why, and closes.
func (l *link) shutdown(why *Error) {
	l.mu.Lock()
	l.abort(why)
	if !l.leaving && why != errGone && why != errPreface {
		l.leaving = true
		l.out.buf = appendGoAway(l.out.room(), l.lastOfPeer(), why.Code)
	}
	l.out.closeAfter = true
	l.conn.SetWriteDeadline(time.Now().Add(lingerTime))
	l.kick()
	for l.out.writing {
		l.flushed.Wait()
	}
	lingers := l.lingering
	l.mu.Unlock()
	if lingers && why != errGone {
		l.in.linger()
	}
	l.in.free()
	l.conn.Close()
}

// end is how a stream ended.
type end uint8

const (
	unknown end = iota
	byEnd
	byUs
	byPeer
)

// graveyard remembers the streams that ended last, as what may still come on
// them depends on how they did (RFC 9113, section 5.1).
type graveyard struct {
	streams [64]struct {
		id  uint32
		how end
	}
	next int
}

func (g *graveyard) bury(id uint32, how end) {
	g.streams[g.next].id, g.streams[g.next].how = id, how
	g.next = (g.next + 1) % len(g.streams)
}

func (g *graveyard) how(id uint32) end {
	for i := range g.streams {
		if g.streams[i].id == id {
			return g.streams[i].how
		}
	}
	return unknown
}

// preface is what a client begins with (RFC 9113, section 3.4).
var preface = []byte(http2.ClientPreface)
