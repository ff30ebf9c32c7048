package peer

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"syscall"
)

// Kind says how an endpoint behaves.
type Kind string

// The kinds of endpoints.
const (
	// Echo answers HTTP/1.1, h2c or TLS, gRPC and WebSockets with what it got.
	Echo Kind = "echo"
	// Refuse has an address where connections are refused.
	Refuse Kind = "refuse"
	// Close takes connections and closes them without an answer.
	Close Kind = "close"
	// Script reads a request's header and writes fixed bytes, then closes.
	Script Kind = "script"
	// Verbatim answers a request with the bytes of it, then closes.
	Verbatim Kind = "verbatim"
	// Stream says who it is, one line of JSON, and sends back what it gets.
	Stream Kind = "stream"
	// Datagram answers each datagram with who it is and what it got, in JSON.
	Datagram Kind = "datagram"
	// AuthHTTP and AuthGRPC are authorization servers.
	AuthHTTP Kind = "auth-http"
	AuthGRPC Kind = "auth-grpc"
)

// Config is one endpoint to be started.
type Config struct {
	Kind Kind
	// Backend is "namespace/name" of the Service, Endpoint a name of its own.
	Backend, Endpoint string
	// Address is where to listen, with port 0.
	Address string
	// TLS is nil for plain text.
	TLS *tls.Config
	// Script is what Script answers.
	Script string
	// ProxyHeader is read first by Stream: version 1 of the PROXY protocol.
	ProxyHeader bool
	Record      *Record
}

// Endpoint is a running endpoint.
type Endpoint struct {
	// Port is where it listens.
	Port int
	stop func()
}

// Stop closes the endpoint and its connections and waits for its goroutines.
func (e *Endpoint) Stop() { e.stop() }

// Start starts one endpoint.
func Start(c Config) (*Endpoint, error) {
	if c.Kind == Refuse {
		return refuse(c.Address)
	}
	if c.Kind == Datagram {
		return serveDatagrams(c)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(c.Address, "0"))
	if err != nil {
		return nil, fmt.Errorf("endpoint %s: %w", c.Endpoint, err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	switch c.Kind {
	case Echo, AuthHTTP:
		return &Endpoint{Port: port, stop: serveHTTP(c, listener)}, nil
	case AuthGRPC:
		return &Endpoint{Port: port, stop: serveAuthGRPC(c, listener)}, nil
	case Close, Script, Verbatim, Stream:
		return &Endpoint{Port: port, stop: serveRaw(c, listener)}, nil
	default:
		listener.Close()
		return nil, fmt.Errorf("endpoint %s: kind %q is none of echo, refuse, close, script, stream, datagram, auth-http, auth-grpc", c.Endpoint, c.Kind)
	}
}

// refuse binds a port without listening on it: connections are refused, and
// nobody else can take the port meanwhile.
func refuse(address string) (*Endpoint, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	to := &syscall.SockaddrInet4{}
	copy(to.Addr[:], net.ParseIP(address).To4())
	if err := syscall.Bind(fd, to); err != nil {
		return nil, fmt.Errorf("bind %s: %w", address, err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		return nil, fmt.Errorf("getsockname: %w", err)
	}
	return &Endpoint{
		Port: bound.(*syscall.SockaddrInet4).Port,
		stop: func() { syscall.Close(fd) },
	}, nil
}

// serveRaw serves connections one goroutine each until it is stopped.
func serveRaw(c Config, listener net.Listener) func() {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				if c.Kind == Stream {
					answerStream(ctx, c, conn)
					return
				}
				answerRaw(ctx, c, conn)
			})
		}
	})
	return func() {
		cancel()
		listener.Close()
		wg.Wait()
	}
}
