// Package h3 speaks HTTP/3 with clients: it turns what a QUIC connection says
// into exchange.Request, and exchange.Response into what the client is told.
//
// QUIC, frames and QPACK are quic-go's, which refuses malformed messages by
// itself (RFC 9114, section 4.1.2); what it lets pass stops here, at the same
// door as requests of the other versions. It must not know about sockets,
// certificates, routes or backends.
package h3
