package parity

import (
	"context"
	"crypto/tls"
	"net/http"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// http3 makes a client of HTTP/3, and what closes its connections. What it dials
// is the link's address, on the UDP side.
func (l *link) http3() (client http.RoundTripper, closing func()) {
	config := l.tls
	if config == nil {
		// There is no HTTP/3 without TLS: the step's error says so.
		config = &tls.Config{MinVersion: tls.VersionTLS13}
	}
	transport := &http3.Transport{
		TLSClientConfig: config, DisableCompression: true,
		Dial: func(ctx context.Context, _ string, tlsConfig *tls.Config, quicConfig *quic.Config) (*quic.Conn, error) {
			l.dials.Add(1)
			// http3 takes the name from the URL, which holds the address.
			tlsConfig.ServerName = config.ServerName
			return quic.DialAddr(ctx, l.address, tlsConfig, quicConfig)
		},
	}
	return transport, func() { transport.Close() }
}
