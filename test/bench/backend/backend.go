package backend

import (
	"crypto/tls"
	"fmt"
	"net"
)

// Addresses are where the backend's servers listen.
type Addresses struct {
	HTTP, HTTPS, GRPC, UDP string
	// Cert and Key are files, for HTTPS.
	Cert, Key string
}

// Run serves all of them until one fails.
func Run(a Addresses) error {
	pair, err := tls.LoadX509KeyPair(a.Cert, a.Key)
	if err != nil {
		return err
	}
	secure := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}
	failed := make(chan error, 4)
	for _, s := range []struct {
		address string
		serve   func(net.Listener) error
	}{
		{a.HTTP, HTTP1}, {a.GRPC, GRPC},
		{a.HTTPS, func(l net.Listener) error { return HTTP1(tls.NewListener(l, secure)) }},
	} {
		l, err := net.Listen("tcp", s.address)
		if err != nil {
			return err
		}
		go func() { failed <- s.serve(l) }()
	}
	conn, err := net.ListenPacket("udp", a.UDP)
	if err != nil {
		return err
	}
	go func() { failed <- UDP(conn) }()
	return fmt.Errorf("backend: %w", <-failed)
}
