package exchange

import "net/netip"

// Conn is what is known about the connection that a request came on. It does
// not change once the connection was handed on.
type Conn struct {
	// Client and Local are the two ends of the connection.
	Client, Local netip.AddrPort
	// Port is the ir port of the listeners that share the socket.
	Port uint16
	// TLS is true for a connection that was handed on after a handshake.
	TLS bool
	// ServerName is the client's SNI as it wrote it, empty where it wrote none.
	// Only the table compares it, so that a handshake and the requests after it
	// cannot read it in two ways.
	ServerName string
	// Validation names the rules that the client's certificate was held to when
	// the connection was made; empty where none was asked for.
	Validation string
	// Passed is true for TLS that nobody ended: its bytes, from the hello on, go to
	// a backend as they are.
	Passed bool
	// Stream is true where the handshake was that of a listener of TLS: nothing on
	// the connection is a request.
	Stream bool
}

// Carrier is a connection that knows its Conn.
type Carrier interface{ Exchange() *Conn }
