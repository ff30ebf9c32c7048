package h2

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// reader reads a connection for the Framer. An idle connection holds no buffer.
type reader struct {
	link *link
	buf  *[bufferSize]byte
	r, w int
	// between says that no frame has begun; frameSince is when one has, and last
	// when anything was read.
	between          bool
	frameSince, last time.Time
	deadline         time.Time
	// early is what others have read of the connection already.
	early []byte
	// err is why nothing more can be read.
	err error
	// large says that the Framer has grown a buffer, content that the frame that has
	// begun is one of a body.
	large, content bool
}

var (
	_ io.Reader      = (*reader)(nil)
	_ rawconn.Lender = (*reader)(nil)
)

// Read returns what was read already, and reads where nothing was.
func (r *reader) Read(p []byte) (int, error) {
	if len(r.early) > 0 {
		n := copy(p, r.early)
		if r.early = r.early[n:]; len(r.early) == 0 {
			r.early = nil
		}
		return n, nil
	}
	if r.r == r.w {
		if r.err = r.fill(); r.err != nil {
			return 0, r.err
		}
	}
	// A frame has begun when the read came that brought it.
	if r.between {
		r.between, r.frameSince = false, r.last
	}
	n := copy(p, r.buf[r.r:r.w])
	r.r += n
	return n, nil
}

// fill reads once. What is late is the role's to judge.
func (r *reader) fill() error {
	l := r.link
	for {
		due := l.role.due()
		if !due.Equal(r.deadline) && (r.deadline.IsZero() || !due.IsZero() && due.Before(r.deadline)) {
			r.deadline = due
			if err := r.allow(due); err != nil {
				return err
			}
		}
		n, err := r.read()
		if n > 0 {
			return nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return orNoProgress(err)
		}
		if err := r.late(); err != nil {
			return err
		}
	}
}

func orNoProgress(err error) error {
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// allow sets the deadline, but not over that of a connection that is on its way
// out.
func (r *reader) allow(due time.Time) error {
	l := r.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lingering || l.conn.Interrupted() {
		return nil
	}
	return l.conn.SetReadDeadline(due)
}

// late is called when the deadline has come. Deadlines are moved only here:
// traffic leaves them alone.
func (r *reader) late() error {
	l := r.link
	now := time.Now()
	l.mu.Lock()
	lingering := l.lingering || l.out.err != nil
	l.mu.Unlock()
	if lingering {
		return errGone
	}
	if due := l.role.due(); !due.IsZero() && !now.Before(due) {
		if err := l.role.late(now); err != nil {
			return err
		}
	}
	r.deadline = time.Time{}
	if due := l.role.due(); due.IsZero() {
		return r.allow(due)
	}
	return nil
}

func (r *reader) read() (int, error) {
	l := r.link
	var n int
	var err error
	if r.buf == nil {
		n, err = l.conn.Await(r)
	} else {
		n, err = l.conn.Read(r.buf[:])
	}
	r.r, r.w = 0, max(n, 0)
	if n > 0 {
		r.note()
	}
	return n, err
}

// Lend gets a buffer, once there is something to read.
func (r *reader) Lend() []byte {
	r.acquire()
	return r.buf[:]
}

// Return gives it back.
func (r *reader) Return() { r.free() }

func (r *reader) note() {
	now := time.Now()
	r.last = now
	l := r.link
	l.mu.Lock()
	l.heard, l.pinged = now, false
	l.mu.Unlock()
}

func (r *reader) acquire() {
	if r.buf == nil {
		r.buf = buffers.Get().(*[bufferSize]byte) //nolint:errcheck,forcetypeassert // The pool holds nothing else.
	}
}

// rest gives the buffer back of a connection that is about to wait. Below TLS
// nobody can wait without one, so there it is kept while streams are open.
func (r *reader) rest() {
	r.between, r.content = !r.link.block.open, false
	if r.r < r.w || len(r.early) > 0 || !r.between {
		return
	}
	l := r.link
	l.mu.Lock()
	idle := len(l.streams) == 0
	l.mu.Unlock()
	if idle || l.conn.Raw() {
		r.free()
	}
	if idle && r.large {
		r.large = false
		l.newFramer()
	}
}

func (r *reader) free() {
	if r.buf != nil {
		buffers.Put(r.buf)
	}
	r.buf, r.r, r.w = nil, 0, 0
}

// linger reads on for a moment.
func (r *reader) linger() {
	r.acquire()
	for total := 0; total < lingerBytes; {
		n, err := r.link.conn.Read(r.buf[:])
		if err != nil {
			return
		}
		total += n
	}
}
