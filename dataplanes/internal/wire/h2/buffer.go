package h2

import "sync"

// bufferSize is that of the pooled buffers, and the longest frame that we take.
const bufferSize = initialFrame

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// largeSteps is in what pieces content is read that fills smaller ones.
const largeSteps = 64 << 10

var largeBuffers = sync.Pool{New: func() any { return new([largeSteps]byte) }}

// inbox is the content of a message that was received and not yet read.
type inbox struct {
	chunks []*[bufferSize]byte
	// r and w are places in the first and in the last chunk.
	r, w int
	n    int
	one  [1]*[bufferSize]byte
	// lent says that somebody may be looking at the octets themselves.
	lent bool
}

func (b *inbox) put(p []byte) {
	b.n += len(p)
	for len(p) > 0 {
		if len(b.chunks) == 0 || b.w == bufferSize {
			b.grow()
		}
		k := copy(b.chunks[len(b.chunks)-1][b.w:], p)
		b.w += k
		p = p[k:]
	}
}

func (b *inbox) grow() {
	if b.chunks == nil {
		b.chunks = b.one[:0]
	}
	b.chunks = append(b.chunks, buffers.Get().(*[bufferSize]byte)) //nolint:errcheck,forcetypeassert // The pool holds nothing else.
	b.w = 0
	if len(b.chunks) == 1 {
		b.r = 0
	}
}

// front returns the octets that lie together at the beginning.
func (b *inbox) front() []byte {
	switch len(b.chunks) {
	case 0:
		return nil
	case 1:
		return b.chunks[0][b.r:b.w]
	default:
		return b.chunks[0][b.r:]
	}
}

// take moves over n octets of the front.
func (b *inbox) take(n int) {
	b.r += n
	b.n -= n
	if b.r < bufferSize && (len(b.chunks) > 1 || b.r < b.w) {
		return
	}
	buffers.Put(b.chunks[0])
	copy(b.chunks, b.chunks[1:])
	b.chunks[len(b.chunks)-1] = nil
	b.chunks = b.chunks[:len(b.chunks)-1]
	b.r = 0
}

func (b *inbox) read(p []byte) int {
	total := 0
	for len(p) > total && b.n > 0 {
		k := copy(p[total:], b.front())
		b.take(k)
		total += k
	}
	return total
}

// drop throws everything away and returns how much it was. What is lent is given
// back only by the drop behind reclaim: another stream's content would be seen in
// its place.
func (b *inbox) drop() int {
	n := b.n
	if b.n = 0; b.lent {
		return n
	}
	for _, c := range b.chunks {
		buffers.Put(c)
	}
	*b = inbox{}
	return n
}

// reclaim says that nobody looks any more.
func (b *inbox) reclaim() { b.lent = false }
