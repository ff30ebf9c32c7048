package h2

import (
	"runtime"
	"sync"
	"time"
)

// outbox is what waits to be written to a connection. Its fields are guarded by
// the link's lock.
type outbox struct {
	buf []byte
	// spare is the buffer that was written last.
	spare []byte
	// writing says that a turn is under way or about to begin.
	writing bool
	// closeAfter asks the turn to end our side when nothing is left.
	closeAfter bool
	// provoked counts the frames that wait because the peer has asked for them.
	provoked int
	err      error
}

// outLimit bounds the answers that wait, so that a client that does not read
// holds little memory. outMost bounds what waits for a backend until no request
// follows. mostProvoked is reached only by a peer that asks for control frames and
// does not read them.
const (
	outLimit     = 64 << 10
	outMost      = 4 * outLimit
	mostProvoked = 10000
)

var outBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, outLimit/4)
	return &b
}}

// turn is the task that writes.
type turn link

var _ task = (*turn)(nil)

// kick sees to it that what was appended is written. The caller holds the lock.
func (l *link) kick() {
	if l.out.writing || l.out.err != nil || len(l.out.buf) == 0 && !l.out.closeAfter {
		return
	}
	l.out.writing = true
	pool.start((*turn)(l))
}

// run writes until nothing is left. It first lets everything run that is ready
// to: handlers whose backends have answered by then share the write.
func (t *turn) run() {
	l := (*link)(t)
	runtime.Gosched()
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.out.buf) > 0 && l.out.err == nil {
		b := l.out.buf
		l.out.buf, l.out.spare, l.out.provoked = l.out.spare[:0], nil, 0
		l.mu.Unlock()
		err := l.write(b)
		l.mu.Lock()
		l.out.spare = b[:0]
		l.wrote(err)
	}
	if l.out.closeAfter && l.out.err == nil {
		l.out.err = errClosed
		l.endWrites()
	}
	l.out.writing = false
	if len(l.streams) == 0 || l.out.err != nil {
		l.out.free()
	}
	l.flushed.Broadcast()
}

func (l *link) write(b []byte) error {
	_, err := l.conn.Send(b, time.Now(), l.timeouts.Write)
	return err
}

// wrote says what became of a write, to those who wait for room.
func (l *link) wrote(err error) {
	if err != nil {
		l.out.err = errGone
		l.abort(errGone)
		l.conn.Interrupt()
	}
	l.wakeWaiting()
	l.role.eased()
}

// endWrites ends our side, and gives the peer a moment to end its own: closing
// a connection with unread octets resets it, and the peer may never see why. TLS
// writes when it ends, and may have to wait: the lock is left meanwhile.
func (l *link) endWrites() {
	l.mu.Unlock()
	_ = l.conn.CloseWrite()
	l.mu.Lock()
	l.lingering = true
	l.conn.SetReadDeadline(time.Now().Add(lingerTime))
}

const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 256 << 10
)

func (o *outbox) free() {
	for _, b := range [][]byte{o.buf, o.spare} {
		if cap(b) > 0 && cap(b) <= 2*outLimit && len(b) == 0 {
			outBuffers.Put(&b)
		}
	}
	o.spare = nil
	if len(o.buf) == 0 || o.err != nil {
		o.buf = nil
	}
}

// room returns the buffer to append to.
func (o *outbox) room() []byte {
	if o.buf == nil {
		o.buf = *outBuffers.Get().(*[]byte) //nolint:errcheck,forcetypeassert // The pool holds nothing else.
	}
	return o.buf
}
