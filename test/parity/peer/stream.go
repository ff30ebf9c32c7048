package peer

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
)

// answerStream serves one connection of a Stream endpoint: who it is, then
// whatever comes, and the end when that ends.
func answerStream(ctx context.Context, c Config, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	seen := &Seen{Backend: c.Backend, Endpoint: c.Endpoint, Connection: conn.RemoteAddr().String(), Headers: map[string][]string{}}
	if c.ProxyHeader {
		line, err := readLine(conn)
		if err != nil {
			return
		}
		seen.Headers["Proxy"] = []string{line}
	}
	if c.TLS != nil {
		secure := tls.Server(conn, c.TLS)
		if secure.HandshakeContext(ctx) != nil {
			return
		}
		seen.SNI, conn = secure.ConnectionState().ServerName, secure
	}
	c.Record.Add(seen)
	if json.NewEncoder(conn).Encode(seen) != nil {
		return
	}
	io.Copy(conn, conn)
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}

// readLine reads a line and nothing behind it.
func readLine(conn net.Conn) (string, error) {
	line, err := bufio.NewReaderSize(byByte{conn}, 16).ReadString('\n')
	return strings.TrimSuffix(line, "\r\n"), err
}

// byByte reads one byte at a time.
type byByte struct{ io.Reader }

// Read reads at most one byte.
func (b byByte) Read(p []byte) (int, error) { return b.Reader.Read(p[:1]) }

// serveDatagrams starts a Datagram endpoint.
func serveDatagrams(c Config) (*Endpoint, error) {
	conn, err := net.ListenPacket("udp", net.JoinHostPort(c.Address, "0"))
	if err != nil {
		return nil, fmt.Errorf("endpoint %s: %w", c.Endpoint, err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for page := make([]byte, 64<<10); ; {
			n, from, err := conn.ReadFrom(page)
			if err != nil {
				return
			}
			seen := &Seen{Backend: c.Backend, Endpoint: c.Endpoint, Body: string(page[:n]), Length: int64(n), Connection: from.String()}
			c.Record.Add(seen)
			if text, err := json.Marshal(seen); err == nil {
				conn.WriteTo(text, from)
			}
		}
	}()
	return &Endpoint{
		Port: conn.LocalAddr().(*net.UDPAddr).Port,
		stop: func() { conn.Close(); <-done },
	}, nil
}
