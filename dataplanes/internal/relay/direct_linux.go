//go:build linux && (amd64 || arm64)

package relay

import (
	"net"
	"os"
	"syscall"

	"github.com/sluice-gateway/sluice/dataplanes/internal/rawio"
)

// direct moves one direction between two sockets by system calls of its own: one
// read and one write for what comes at once, and no read that finds nothing.
//
// It reads inside one callback of the connection that is read, for as long as
// the stream goes on. That keeps every edge of the poller, so that waiting after
// a read that has left nothing behind loses none; a reset that came together with
// bytes is found at the end of the tick.
type direct struct {
	*pipe
	in, out syscall.RawConn
	queue   rawio.Queue
	ended   bool
	err     error
	// rest is what is still to be written.
	rest   []byte
	outErr error
	// The callbacks are made once.
	step, send func(fd uintptr) bool
}

// newDirect returns nil where one of the sides is no socket of TCP.
func newDirect(p *pipe) *direct {
	src, from := p.src.(*net.TCPConn)
	dst, to := p.dst.(*net.TCPConn)
	if !from || !to {
		return nil
	}
	in, errIn := src.SyscallConn()
	out, errOut := dst.SyscallConn()
	if errIn != nil || errOut != nil {
		return nil
	}
	d := &direct{pipe: p, in: in, out: out}
	d.step, d.send = d.read, d.write
	_ = in.Control(d.queue.Ask)
	return d
}

// move moves bytes until the stream ends, a deadline is over, or there is so much
// of it that the kernel should.
func (d *direct) move() (ended bool, err error) {
	d.ended, d.err = false, nil
	if err := d.in.Read(d.step); err != nil {
		return false, err
	}
	return d.ended, d.err
}

// read moves what there is; it is true when there is something to be said.
func (d *direct) read(fd uintptr) bool {
	buffer := rawio.Take(false)
	defer rawio.Give(buffer)
	for {
		n, left, errno := d.queue.Receive(fd, *buffer)
		switch {
		case errno == syscall.EAGAIN:
			return false
		case errno != 0:
			d.err = os.NewSyscallError("recvmsg", errno)
			return true
		case n == 0:
			d.ended = true
			return true
		}
		if d.err = d.pass((*buffer)[:n]); d.err != nil {
			return true
		}
		if d.large = left >= rawio.Small; d.large {
			return true
		}
		if left == 0 {
			return false
		}
	}
}

// pass writes all of p.
func (d *direct) pass(p []byte) error {
	d.writing, d.rest, d.outErr = true, p, nil
	err := d.out.Write(d.send)
	d.moved(int64(len(p) - len(d.rest)))
	d.rest = nil
	if err == nil {
		err = d.outErr
	}
	d.writing = err != nil
	return err
}

func (d *direct) write(fd uintptr) bool {
	for len(d.rest) > 0 {
		n, errno := rawio.Send(fd, d.rest)
		if errno == syscall.EAGAIN {
			return false
		}
		if errno != 0 {
			d.outErr = os.NewSyscallError("sendto", errno)
			return true
		}
		d.rest = d.rest[n:]
	}
	return true
}
