package record

import (
	"errors"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	haproxy "github.com/sluice-gateway/sluice/translators/haproxy"
)

// A feed is what one worker writes. It is read many lines at a time: a worker writes
// some at each turn of its loop, and a reader that woke each time would cost more than
// all that it does with them. So it is read by calls that block, where the runtime's
// poller does not hear of what comes meanwhile.
type feed struct {
	file *os.File
	// next is when to read again, unless much was there the last time.
	next time.Time
}

const (
	// pause is between two reads, and how late a line can be.
	pause = 5 * time.Millisecond
	// much says that the reader is behind, in bytes: what a socket holds is little.
	much = 32 << 10
)

// newFeed takes a connection over. What it reads from is a copy of its descriptor that
// no poller has.
func newFeed(conn *net.UnixConn) (*feed, error) {
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var copied int
	var failed error
	err = raw.Control(func(fd uintptr) {
		if failed = unix.SetNonblock(int(fd), false); failed == nil { //nolint:gosec // It is a descriptor.
			copied, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
		}
	})
	if err = errors.Join(err, failed); err != nil {
		return nil, err
	}
	return &feed{file: os.NewFile(uintptr(copied), haproxy.LogSocket)}, nil
}

// Read implements io.Reader.
func (f *feed) Read(p []byte) (int, error) {
	time.Sleep(time.Until(f.next))
	n, err := f.file.Read(p)
	f.next = time.Time{}
	if n < much {
		f.next = time.Now().Add(pause)
	}
	return n, err
}

// end lets what has been written be read, and no more.
func (f *feed) end() {
	if raw, err := f.file.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RD) })
	}
}
