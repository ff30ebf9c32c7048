//go:build linux && (amd64 || arm64)

package rawio

import (
	"syscall"
	"unsafe"
)

// Receive reads once from a socket and never waits. The scheduler is not told
// about the call, which is worth it for short ones alone.
func Receive(fd uintptr, p []byte, flags uintptr) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd,
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags|syscall.MSG_DONTWAIT, 0, 0)
		if errno != syscall.EINTR {
			return int(n), errno
		}
	}
}

// Send writes once to a socket, as Receive reads.
func Send(fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd,
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
		if errno != syscall.EINTR {
			return int(n), errno
		}
	}
}

// Queue reads from a socket of TCP, and tells with each read what is left behind
// it (tcp(7), TCP_INQ). It is used by one goroutine.
type Queue struct {
	message syscall.Msghdr
	vector  syscall.Iovec
	control [24]byte
}

// tcpInq is the option, and the message that answers it.
const tcpInq = 36

// Ask makes the system tell from now on.
func (q *Queue) Ask(fd uintptr) {
	// A system or a socket that cannot leaves Receive with Unknown.
	_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpInq, 1)
}

// Unknown is what is left where the system does not say.
const Unknown = -1

// Receive reads once and never waits. Left is 0 where nothing is left to be read,
// the end of the stream included, and otherwise the number of bytes, to one.
func (q *Queue) Receive(fd uintptr, p []byte) (n, left int, errno syscall.Errno) {
	q.vector.Base = unsafe.SliceData(p)
	q.vector.SetLen(len(p))
	q.message = syscall.Msghdr{Iov: &q.vector, Iovlen: 1, Control: &q.control[0]}
	q.message.SetControllen(len(q.control))
	for {
		got, _, errno := syscall.RawSyscall(syscall.SYS_RECVMSG, fd,
			uintptr(unsafe.Pointer(&q.message)), syscall.MSG_DONTWAIT)
		if errno != syscall.EINTR {
			q.vector.Base = nil
			return int(got), q.left(), errno
		}
	}
}

// left reads the control message: its header, and a number of 32 bits.
func (q *Queue) left() int {
	if q.message.Controllen < syscall.SizeofCmsghdr+4 {
		return Unknown
	}
	header := (*syscall.Cmsghdr)(unsafe.Pointer(&q.control[0]))
	if header.Level != syscall.IPPROTO_TCP || header.Type != tcpInq {
		return Unknown
	}
	return int(*(*int32)(unsafe.Pointer(&q.control[syscall.SizeofCmsghdr])))
}
