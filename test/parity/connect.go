package parity

import (
	"context"
	"crypto/tls"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
)

// link makes a step's connections: to one address, however the step calls it.
type link struct {
	address string
	tls     *tls.Config
	dials   atomic.Int64
}

// link resolves a step's target.
func (p *play) link(t Target, host string, secure bool) (*link, error) {
	port := t.Port
	switch {
	case port != 0:
	case secure:
		port = 443
	default:
		port = 80
	}
	address, err := p.proxy.Address(t.Gateway)
	if err != nil {
		return nil, err
	}
	l := &link{address: net.JoinHostPort(address, strconv.Itoa(port+portOffset))}
	if secure {
		l.tls, err = p.clientTLS(t, host)
	}
	return l, err
}

func (p *play) clientTLS(t Target, host string) (*tls.Config, error) {
	pool, err := p.world.book.Pool("front")
	if err != nil {
		return nil, err
	}
	name := bare(host)
	if t.SNI != nil {
		name = *t.SNI
	}
	config := &tls.Config{RootCAs: pool, ServerName: name, MinVersion: tls.VersionTLS12}
	// Which certificate came is for the step to expect; a client without SNI
	// could not verify one at all.
	config.InsecureSkipVerify = t.SNI != nil
	if t.MaxTLS == "1.2" {
		config.MaxVersion = tls.VersionTLS12
	}
	if t.ClientCert != nil {
		certificate, err := p.world.book.Certificate(*t.ClientCert)
		if err != nil {
			return nil, err
		}
		// Shown whatever authorities the server names, as an attacker would.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &certificate, nil
		}
	}
	return config, nil
}

// dial opens a plain connection.
func (l *link) dial(ctx context.Context) (net.Conn, error) {
	l.dials.Add(1)
	return new(net.Dialer).DialContext(ctx, "tcp", l.address)
}

// open opens a connection, of TLS with the given protocols where the link has
// it.
func (l *link) open(ctx context.Context, protocols ...string) (net.Conn, error) {
	conn, err := l.dial(ctx)
	if err != nil || l.tls == nil {
		return conn, err
	}
	config := l.tls.Clone()
	config.NextProtos = protocols
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// bare is a host without its port.
func bare(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.TrimSuffix(host, ":")
}
