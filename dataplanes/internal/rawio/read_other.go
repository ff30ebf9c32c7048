//go:build !unix

package rawio

import "net"

// Reader reads from one connection. It is used by one goroutine.
type Reader struct{ plain net.Conn }

// NewReader returns a reader of a connection.
func NewReader(c net.Conn) *Reader { return &Reader{plain: c} }

// Read waits for something to read, and returns a buffer with n bytes of it;
// Give it back. An n of 0 is a stream's end, or an empty datagram. The read
// deadline of the connection holds.
func (r *Reader) Read(datagram bool) (buffer *[]byte, n int, err error) {
	return readPlain(r.plain, datagram)
}
