package h1

import (
	"io"
	"sync"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// bufferSize is that of the pooled buffers: one holds a head, and a small body
// behind it.
const bufferSize = 16 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// source is what a stream reads from.
type source interface{ Read(p []byte) (int, error) }

// stream is what was read from a connection and not yet taken. The head of the
// message in work stays where it is until release, as strings lie over it.
type stream struct {
	from source
	buf  []byte
	r, w int
	// keep is where the head in use ends.
	keep int
	// pooled is buf's array, if it came from the pool; spilt are those that heads
	// in use lie in.
	pooled *[bufferSize]byte
	spilt  *[bufferSize]byte
}

var _ rawconn.Lender = (*stream)(nil)

func (s *stream) acquire() {
	if s.buf == nil {
		s.pooled = buffers.Get().(*[bufferSize]byte)
		s.buf = s.pooled[:]
	}
}

// Lend gets a buffer.
func (s *stream) Lend() []byte {
	s.acquire()
	return s.buf
}

// Return gives the buffer back.
func (s *stream) Return() { s.free() }

// await waits for the first octets of what comes next.
func (s *stream) await(c *rawconn.Conn) error {
	n, err := c.Await(s)
	if err == nil {
		s.w = n
	}
	return err
}

// buffered returns the octets that can be had without reading.
func (s *stream) buffered() []byte { return s.buf[s.r:s.w] }

// take moves over n octets.
func (s *stream) take(n int) { s.r += n }

// pin keeps n octets in place until release, and moves over them.
func (s *stream) pin(n int) {
	s.r += n
	s.keep = s.r
}

// fill reads once, behind what is buffered.
func (s *stream) fill() error {
	s.makeRoom()
	n, err := s.from.Read(s.buf[s.w:])
	s.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// leastRoom is how much a read is given, so that a long head does not make the
// reads behind it tiny.
const leastRoom = 1 << 10

// makeRoom finds room for a read: at the end of what is kept, else by moving to
// another buffer.
func (s *stream) makeRoom() {
	s.acquire()
	if s.r == s.w {
		s.r, s.w = s.keep, s.keep
	}
	if len(s.buf)-s.w >= leastRoom {
		return
	}
	if s.r > s.keep {
		s.w = s.keep + copy(s.buf[s.keep:], s.buf[s.r:s.w])
		s.r = s.keep
	}
	if len(s.buf)-s.w < leastRoom {
		s.spill()
	}
}

// spill moves what is buffered to another buffer: one that is larger if a head
// is still to come, a fresh one if a head lies in the old one.
func (s *stream) spill() {
	rest := s.buf[s.r:s.w]
	old := s.pooled
	size := max(bufferSize, 2*len(rest))
	if s.keep > 0 && s.spilt == nil {
		s.spilt, old = s.pooled, nil
	}
	if s.pooled = nil; size == bufferSize {
		s.pooled = buffers.Get().(*[bufferSize]byte)
		s.buf = s.pooled[:]
	} else {
		s.buf = make([]byte, size)
	}
	s.r, s.w, s.keep = 0, copy(s.buf, rest), 0
	if old != nil {
		buffers.Put(old)
	}
}

// release ends the use of the head: strings over it are no longer valid. What
// is buffered stays.
func (s *stream) release() {
	if s.spilt != nil {
		buffers.Put(s.spilt)
		s.spilt = nil
	}
	s.keep = 0
	switch {
	case s.r == s.w:
		s.free()
	case s.r > 0:
		s.w = copy(s.buf, s.buf[s.r:s.w])
		s.r = 0
	}
}

// free gives the buffer back.
func (s *stream) free() {
	if s.pooled != nil {
		buffers.Put(s.pooled)
	}
	s.pooled, s.buf, s.r, s.w, s.keep = nil, nil, 0, 0, 0
}
