package datagram

import (
	"encoding/binary"
	"net"
	"syscall"
	"unsafe"
)

// Replies must come from the address that the client wrote to. A socket that is
// bound to every address has to be told which one that was.

// maxSource is room for what the system says of one datagram.
const maxSource = 64

// askSources makes a socket of every address tell where its datagrams came in,
// and says whether it will.
func askSources(conn *net.UDPConn) bool {
	local, ok := conn.LocalAddr().(*net.UDPAddr)
	if !ok || !local.IP.IsUnspecified() {
		return false
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	asked := false
	_ = raw.Control(func(fd uintptr) {
		v4 := syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_PKTINFO, 1)
		v6 := syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, syscall.IPV6_RECVPKTINFO, 1)
		asked = v4 == nil || v6 == nil
	})
	return asked
}

// replyFrom turns what the system said of a datagram into what sends the reply
// from there. The interface is left to the system, whose routes may differ, but
// where a link-local address would mean nothing without one.
func replyFrom(said []byte) []byte {
	messages, err := syscall.ParseSocketControlMessage(said)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		switch {
		case m.Header.Level == syscall.IPPROTO_IP && m.Header.Type == syscall.IP_PKTINFO && len(m.Data) >= syscall.SizeofInet4Pktinfo:
			data := make([]byte, syscall.SizeofInet4Pktinfo)
			copy(data[4:8], m.Data[4:8])
			return control(m.Header, data)
		case m.Header.Level == syscall.IPPROTO_IPV6 && m.Header.Type == syscall.IPV6_PKTINFO && len(m.Data) >= syscall.SizeofInet6Pktinfo:
			data := append([]byte(nil), m.Data[:syscall.SizeofInet6Pktinfo]...)
			if !net.IP(data[:16]).IsLinkLocalUnicast() {
				binary.NativeEndian.PutUint32(data[16:], 0)
			}
			return control(m.Header, data)
		}
	}
	return nil
}

func control(header syscall.Cmsghdr, data []byte) []byte {
	message := make([]byte, syscall.CmsgSpace(len(data)))
	h := (*syscall.Cmsghdr)(unsafe.Pointer(&message[0])) //nolint:gosec // The kernel's own layout.
	h.Level, h.Type = header.Level, header.Type
	h.SetLen(syscall.CmsgLen(len(data)))
	copy(message[syscall.CmsgLen(0):], data)
	return message
}
