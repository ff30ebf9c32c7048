//go:build linux && (amd64 || arm64)

package rawio_test

import (
	"net"
	"syscall"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/rawio"
)

// What is left behind a read is told, the end of the stream too, also where it
// came together with the bytes.
func TestQueueTellsWhatIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		send string
		end  bool
		read []int
		more []bool
	}{
		"all at once":                {"abcd", false, []int{4}, []bool{false}},
		"a part":                     {"abcd", false, []int{1, 3}, []bool{true, false}},
		"all, and the end":           {"abcd", true, []int{4, 0}, []bool{true, true}},
		"a part, and the end":        {"abcd", true, []int{3, 1}, []bool{true, true}},
		"nothing but the end":        {"", true, []int{0}, []bool{true}},
		"a part, a part and the end": {"abcd", true, []int{1, 1, 2}, []bool{true, true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := pair(t)
			if _, err := far.Write([]byte(c.send)); err != nil {
				t.Fatal(err)
			}
			if c.end {
				far.CloseWrite()
			}
			arrived(t, near, c.send, c.end)
			raw, _ := near.SyscallConn()
			var q rawio.Queue
			_ = raw.Control(func(fd uintptr) {
				q.Ask(fd)
				for i, want := range c.read {
					n, left, errno := q.Receive(fd, make([]byte, max(want, 1)))
					if n != want || left > 0 != c.more[i] || errno != 0 {
						t.Errorf("read %d: %d bytes, %d left, %v; want %d, more %t", i, n, left, errno, want, c.more[i])
					}
				}
			})
		})
	}
}

// arrived waits until everything that was sent can be read.
func arrived(t *testing.T, c *net.TCPConn, sent string, end bool) {
	t.Helper()
	raw, _ := c.SyscallConn()
	page := make([]byte, len(sent)+1)
	err := raw.Read(func(fd uintptr) bool {
		n, errno := rawio.Receive(fd, page, syscall.MSG_PEEK)
		return errno == 0 && n == len(sent) && (!end || hasEnded(fd))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// hasEnded says whether the other side has ended its stream: CLOSE_WAIT.
func hasEnded(fd uintptr) bool {
	const closeWait = 8
	state, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_INFO)
	return err == nil && state&0xff == closeWait
}

// A socket that is not of TCP says nothing, and is read all the same.
func TestQueueOfAnotherSocket(t *testing.T) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fds[0])
	defer syscall.Close(fds[1])
	var q rawio.Queue
	q.Ask(uintptr(fds[0]))
	if n, errno := rawio.Send(uintptr(fds[1]), []byte("ab")); n != 2 || errno != 0 {
		t.Fatalf("sent %d, %v", n, errno)
	}
	page := make([]byte, 4)
	if n, left, errno := q.Receive(uintptr(fds[0]), page); n != 2 || left != rawio.Unknown || errno != 0 {
		t.Errorf("%d bytes, %d left, %v", n, left, errno)
	}
	if _, _, errno := q.Receive(uintptr(fds[0]), page); errno != syscall.EAGAIN {
		t.Errorf("with nothing to read: %v", errno)
	}
}

func pair(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dialed, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialed.Close(); accepted.Close() })
	return accepted.(*net.TCPConn), dialed.(*net.TCPConn)
}
