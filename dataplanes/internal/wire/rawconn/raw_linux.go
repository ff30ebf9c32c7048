//go:build linux && (amd64 || arm64)

package rawconn

import (
	"io"
	"net"
	"os"
	"syscall"

	"github.com/sluice-gateway/sluice/dataplanes/internal/rawio"
)

// rawConn reads and writes a stream socket by system calls that the scheduler
// is not told about. That holds the P, so none may block: all have MSG_DONTWAIT.
//
// All calls are made inside the callbacks of syscall.RawConn. They hold the
// descriptor: outside of them another goroutine could close it, and a number
// that the kernel has given to another connection would get our octets.
// A callback must not close its own connection, which waits for the callback.
type rawConn struct {
	rc syscall.RawConn

	in    []byte
	got   int
	inErr error

	out    []byte
	outErr error

	// asked says that writing has begun, wrote that it has ended.
	asked, wrote, isStale bool
	idle                  Lender

	// The callbacks are made once, as each would be an allocation.
	readFn, writeFn, askFn, idleFn func(fd uintptr) bool
	peeked                         func(fd uintptr)
}

func newRawConn(c net.Conn) *rawConn {
	_, tcp := c.(*net.TCPConn)
	if _, unix := c.(*net.UnixConn); !tcp && !unix {
		return nil
	}
	rc, err := c.(syscall.Conn).SyscallConn()
	if err != nil || !tcp && !isStream(rc) {
		return nil
	}
	r := &rawConn{rc: rc}
	r.readFn, r.askFn, r.writeFn = r.stepRead, r.stepAsk, r.stepWrite
	r.idleFn, r.peeked = r.stepIdle, r.stepPeek
	return r
}

func isStream(rc syscall.RawConn) bool {
	stream := false
	// A connection that is closed is no stream.
	_ = rc.Control(func(fd uintptr) {
		kind, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_TYPE)
		stream = err == nil && kind == syscall.SOCK_STREAM
	})
	return stream
}

func (r *rawConn) read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	r.in, r.got, r.inErr = p, 0, nil
	err := r.rc.Read(r.readFn)
	r.in = nil
	if err != nil {
		return 0, err
	}
	return r.got, r.inErr
}

func (r *rawConn) stepRead(fd uintptr) bool {
	n, errno := rawio.Receive(fd, r.in, 0)
	if errno == syscall.EAGAIN {
		return false
	}
	r.received(n, errno)
	return true
}

func (r *rawConn) received(n int, errno syscall.Errno) {
	r.got = n
	switch {
	case errno != 0:
		r.got, r.inErr = 0, os.NewSyscallError("recvfrom", errno)
	case n == 0:
		r.inErr = io.EOF
	}
}

// await is the read of a connection that has nothing in work: it holds no
// buffer while it waits.
func (r *rawConn) await(l Lender) (int, error) {
	r.idle, r.got, r.inErr = l, 0, nil
	err := r.rc.Read(r.idleFn)
	r.idle = nil
	if err == nil {
		err = r.inErr
	}
	if err != nil {
		l.Return()
	}
	return r.got, err
}

// stepIdle reads at once, and again when it is woken: an edge from before the
// callback would be lost. That is also how the end of a client is seen that came
// together with its last request.
func (r *rawConn) stepIdle(fd uintptr) bool {
	n, errno := rawio.Receive(fd, r.idle.Lend(), 0)
	if errno == syscall.EAGAIN {
		r.idle.Return()
		return false
	}
	r.received(n, errno)
	return true
}

func (r *rawConn) write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	r.out, r.outErr = p, nil
	err := r.rc.Write(r.writeFn)
	n := len(p) - len(r.out)
	r.out = nil
	if err == nil {
		err = r.outErr
	}
	return n, err
}

func (r *rawConn) stepWrite(fd uintptr) bool {
	for len(r.out) > 0 {
		n, errno := rawio.Send(fd, r.out)
		if errno == syscall.EAGAIN {
			return false
		}
		if errno != 0 {
			r.outErr = os.NewSyscallError("sendto", errno)
			return true
		}
		r.out = r.out[n:]
	}
	return true
}

// ask writes inside the callback of a read and then parks, which saves the read
// that would find nothing yet.
func (r *rawConn) ask(request, in []byte) (int, error) {
	r.out, r.outErr, r.asked, r.wrote = request, nil, false, false
	r.in, r.got, r.inErr = in, 0, nil
	err := r.rc.Read(r.askFn)
	rest := r.out
	r.in, r.out, r.wrote = nil, nil, len(rest) == 0
	if err == nil {
		err = r.outErr
	}
	if err != nil || len(rest) == 0 {
		return r.got, first(err, r.inErr)
	}
	if _, err = r.write(rest); err != nil {
		return 0, err
	}
	r.wrote = true
	return r.read(in)
}

func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// stepAsk looks before it writes. RawConn.Read has forgotten all edges that came
// before the callback, so that a backend that has closed its side by now would
// never wake us; one that closes it later does.
func (r *rawConn) stepAsk(fd uintptr) bool {
	if r.asked {
		return r.stepRead(fd)
	}
	r.asked = true
	if !quiet(fd) {
		r.outErr = ErrStale
		return true
	}
	n, errno := rawio.Send(fd, r.out)
	switch {
	case errno == syscall.EAGAIN:
		return true
	case errno != 0:
		r.outErr = os.NewSyscallError("sendto", errno)
		return true
	}
	r.out = r.out[n:]
	return len(r.out) > 0
}

func (r *rawConn) control(f func(fd uintptr)) error { return r.rc.Control(f) }

func (r *rawConn) stale() bool {
	r.isStale = true
	if r.rc.Control(r.peeked) != nil {
		return true
	}
	return r.isStale
}

func (r *rawConn) stepPeek(fd uintptr) { r.isStale = !quiet(fd) }

// quiet reports whether a connection is open and has nothing to read.
func quiet(fd uintptr) bool {
	var one [1]byte
	_, errno := rawio.Receive(fd, one[:], syscall.MSG_PEEK)
	return errno == syscall.EAGAIN
}

// gone reports whether the other side has closed the connection. behind says
// that what is left to read does not tell, as an alert of TLS may come first.
func (r *rawConn) gone(behind bool) bool {
	gone := false
	err := r.rc.Control(func(fd uintptr) { gone = ended(fd) || behind && endedBehind(fd) })
	return gone || err != nil
}

func ended(fd uintptr) bool {
	var one [1]byte
	n, errno := rawio.Receive(fd, one[:], syscall.MSG_PEEK)
	return errno != syscall.EAGAIN && n < 1
}

// endedBehind looks at the connection's state, which is the first octet of what
// the system says about it.
func endedBehind(fd uintptr) bool {
	const closed, closeWait = 7, 8
	about, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_INFO)
	state := about & 0xff
	return err == nil && (state == closed || state == closeWait)
}
