//go:build unix

package rawio

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// Reader reads from one socket. It is used by one goroutine.
type Reader struct {
	plain io.Reader
	raw   syscall.RawConn
	// datagram asks for a buffer of that size. The rest is for the one read under way.
	datagram bool
	buffer   *[]byte
	n        int
	err      error
	ready    func(fd uintptr) bool
}

// NewReader returns a reader of a connection. One that is no socket, such as one
// of TLS, is read with the buffer held.
func NewReader(c net.Conn) *Reader {
	r := &Reader{plain: c}
	if s, ok := c.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			r.raw = raw
		}
	}
	r.ready = r.attempt
	return r
}

// Read waits for something to read, and returns a buffer with n bytes of it;
// Give it back. An n of 0 is a stream's end, or an empty datagram. The read
// deadline of the connection holds.
func (r *Reader) Read(datagram bool) (buffer *[]byte, n int, err error) {
	if r.raw == nil {
		return readPlain(r.plain, datagram)
	}
	r.datagram, r.buffer, r.n, r.err = datagram, nil, 0, nil
	err = r.raw.Read(r.ready)
	buffer, r.buffer = r.buffer, nil
	if err == nil {
		err = r.err
	}
	if err != nil && buffer != nil {
		Give(buffer)
		buffer = nil
	}
	return buffer, r.n, err
}

// attempt reads once; it is false where there is nothing to be read yet.
func (r *Reader) attempt(fd uintptr) bool {
	r.buffer = Take(r.datagram)
	for {
		r.n, r.err = syscall.Read(int(fd), *r.buffer)
		if !errors.Is(r.err, syscall.EINTR) {
			break
		}
	}
	if errors.Is(r.err, syscall.EAGAIN) {
		Give(r.buffer)
		r.buffer = nil
		return false
	}
	r.n = max(r.n, 0)
	return true
}
