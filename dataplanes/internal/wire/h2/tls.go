package h2

import (
	"crypto/tls"
	"net"
	"slices"
)

// strong are the cipher suites of TLS 1.2 that package tls has and RFC 9113,
// section 9.2.2 does not prohibit.
var strong = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// weakness says why a connection is not safe enough for HTTP/2 (RFC 9113, section
// 9.2).
func weakness(c net.Conn) *Error {
	secure, ok := c.(*tls.Conn)
	if !ok {
		return nil
	}
	if secure.Handshake() != nil {
		return errGone
	}
	state := secure.ConnectionState()
	if state.Version < tls.VersionTLS12 || state.Version == tls.VersionTLS12 && !slices.Contains(strong, state.CipherSuite) {
		return errWeakTLS
	}
	return nil
}
