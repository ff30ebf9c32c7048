//go:build linux && (amd64 || arm64)

package park

import (
	"errors"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// poller is an epoll instance beside the runtime's. The runtime's tells of its
// descriptor, so that no thread waits in it.
type poller struct {
	fd   int
	file *os.File
	rc   syscall.RawConn
	news []syscall.EpollEvent
}

// batch is how many connections are told of by one system call.
const batch = 64

func (p *poller) open() error {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	if err = syscall.SetNonblock(fd, true); err != nil {
		return errors.Join(err, syscall.Close(fd))
	}
	p.fd, p.file, p.news = fd, os.NewFile(uintptr(fd), "epoll"), make([]syscall.EpollEvent, batch)
	// It fails where the runtime cannot wait for the instance.
	if err = p.file.SetReadDeadline(time.Time{}); err != nil {
		return errors.Join(err, p.file.Close())
	}
	p.rc, err = p.file.SyscallConn()
	return err
}

// once has a connection told of one time. Its registration stays, and tells of
// nothing, until the next time or until the connection is closed.
const once = 1 << 30

// watch tells at once of what is there already.
func (p *poller) watch(ticket uint64, c *rawconn.Conn) error {
	event := syscall.EpollEvent{
		Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | once,
		Fd:     int32(uint32(ticket)), Pad: int32(uint32(ticket >> 32)),
	}
	var err error
	wrong := c.Control(func(fd uintptr) {
		// Who is parked often is registered already.
		err = syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_MOD, int(fd), &event)
		if errors.Is(err, syscall.ENOENT) {
			err = syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_ADD, int(fd), &event)
		}
	})
	if wrong != nil {
		return wrong
	}
	return os.NewSyscallError("epoll_ctl", err)
}

// run tells of connections for as long as the process lives.
func (p *poller) run(tell func(ticket uint64)) {
	for {
		n := 0
		err := p.rc.Read(func(fd uintptr) bool {
			n = p.poll(int(fd))
			return n > 0
		})
		if err != nil {
			return
		}
		for _, e := range p.news[:n] {
			tell(uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32)
		}
		// Who was woken goes first: else a burst of thousands would all be in work at
		// once, each with a connection of its own to a backend.
		runtime.Gosched()
	}
}

// poll returns how much news there is, without waiting for it.
func (p *poller) poll(fd int) int {
	for {
		n, err := syscall.EpollWait(fd, p.news, 0)
		if !errors.Is(err, syscall.EINTR) {
			return max(n, 0)
		}
	}
}
