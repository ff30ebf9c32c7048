package exchange

import (
	"io"
	"net/netip"
)

// Request is one request, from the moment that it passed the door (framing
// checked, path normalised) on. Its strings are valid until the exchange ends;
// what outlives that must be cloned (Detach).
type Request struct {
	Method string
	// Scheme is "http" or "https", as the client spoke with the listener.
	Scheme string
	// Authority is the host as the client gave it, port included.
	Authority string
	// Host is the authority's host alone, lower case, without port and trailing
	// dot.
	Host string
	// Path is normalised and still percent-encoded. It begins with "/", or is
	// "*" for OPTIONS.
	Path string
	// Query is what follows the "?", as it came. HasQuery tells "/a?" from "/a".
	Query    string
	HasQuery bool
	// Header has neither Host nor any hop-by-hop field: those were taken off at
	// the door.
	Header Header
	// Trailer holds the names that were announced, without values, until Body
	// has been read to its end; then what came. Nil where none can come.
	Trailer *Header
	// Body is never nil.
	Body io.ReadCloser
	// Length is the body's length in bytes; -1 is unknown.
	Length int64
	// Upgrade is the lower case protocol that the client asks for ("websocket"),
	// empty otherwise.
	Upgrade string
	// Proto is the major version that the client speaks: 1, 2 or 3.
	Proto int
	// GRPC is true where the content type says so.
	GRPC bool
	// Client is the address of the client's end of the connection; Peer is the
	// client as far as trusted hops tell.
	Client netip.AddrPort
	Peer   netip.Addr
	// Port is the listener's port as clients reach it.
	Port uint16
	// Interim is told of responses before the final one; nil where the client cannot
	// be told.
	Interim Interim
	// Words keeps texts that are made for this exchange; nil where each is a string
	// of its own.
	Words *Words

	// vouched are names that no trailer may have: see Vouch.
	vouched []string
}

// Interim hands the responses before the final one on (RFC 9110, section 15.2):
// 102 and above, of any try. 100 is the codecs' own matter.
type Interim interface {
	// Send must be called before the final response is returned, one at a time. The
	// header is read until it has returned. What cannot be sent at once may be left
	// out.
	Send(status int, header Header)
}

// Response is an answer on its way to the client. It and its strings are valid
// until Body is closed, or Tunnel.
type Response struct {
	Status int
	// Header has no hop-by-hop field.
	Header Header
	// Trailer is filled when Body has been read to its end; nil where none can
	// come.
	Trailer *Header
	// Body is nil for no body. Whoever takes the response closes it.
	Body io.ReadCloser
	// Length is the body's length in bytes; -1 is unknown.
	Length int64
	// Tunnel is set for 101 and for a CONNECT that was let through: the
	// backend's side of the stream.
	Tunnel io.ReadWriteCloser
	// Close asks the client to make a new connection for its next request.
	Close bool
}
