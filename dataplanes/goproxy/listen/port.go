package listen

import (
	"net"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// Port is what is asked of the connections of one socket. It is immutable; a
// change puts another in its place.
type Port struct {
	// Number is the port of the listeners, which is the socket's without an
	// offset.
	Number uint16
	// TLS finds the listener for an SNI as the client wrote it, empty where it
	// wrote none; false refuses the handshake. Nil is plain text.
	TLS func(serverName string) (TLSListener, bool)
	// Pass says whether a listener passes the TLS of an SNI on as it is. Where it
	// is not nil, the client's hello is read before anything is answered. Such a
	// connection is handed to Serve with exchange.Conn.Passed set.
	Pass func(serverName string) bool
	// Proxy is nil where no PROXY header is taken.
	Proxy *ProxyProtocol
	// MaxConnections bounds open connections; 0 is no bound but the guard's. One
	// more is closed at once.
	MaxConnections int
	// HandshakeTimeout bounds a TLS handshake; 0 is no bound.
	HandshakeTimeout time.Duration
	// Stall bounds how long a client may take not a byte of what is written, on
	// any connection of requests, tunnels included; 0 is no bound. It holds for
	// connections that are accepted from now on.
	Stall time.Duration
	// Least is how many bytes of one write a client must take in a stall; 0 is any.
	Least int
	// Serve takes a connection that was let in, and returns soon. It is a
	// *tls.Conn after its handshake, or plain; exchange.Carrier is found on it or
	// below it.
	Serve func(net.Conn)
	// QUIC is nil where the UDP side of the port is not this one's.
	QUIC *QUIC
}

// QUIC is what is asked of the connections of the UDP side of a port.
type QUIC struct {
	// Config is what a new connection is told, and held to.
	Config func() *quic.Config
	// Serve takes a connection after its handshake, and returns when it has ended.
	Serve func(*quic.Conn, *exchange.Conn)
}

// ProxyProtocol says whose PROXY headers are taken.
type ProxyProtocol struct {
	// Trusted are who must send a header first. The others' bytes are their own.
	Trusted []netip.Prefix
	// Timeout bounds the wait for the header; 0 is no bound.
	Timeout time.Duration
}

func (p *ProxyProtocol) trusts(client netip.Addr) bool {
	if p == nil {
		return false
	}
	for _, prefix := range p.Trusted {
		if prefix.Contains(client) {
			return true
		}
	}
	return false
}

// Observer is told about connections. Its methods must not block.
type Observer interface {
	ConnOpened(port uint16)
	ConnClosed(port uint16)
	// ConnRefused is told a reason from a fixed list: "limit", "descriptors",
	// "memory", "opening", "handshake", "hello", "server_name",
	// "proxy_header".
	ConnRefused(port uint16, reason string)
	// AcceptFailed is told why the system has not handed a connection over, for
	// each time that it was asked.
	AcceptFailed(port uint16, err error)
}
