package echo

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"google.golang.org/grpc"
)

// Options say who a server is and where it listens.
type Options struct {
	// Address to listen at; port 0 takes a free one. Default: 127.0.0.1:0.
	Address netip.AddrPort
	// Name, Namespace and Service are what the server says of itself.
	Name      string
	Namespace string
	Service   string
	// TLS is nil for plain text.
	TLS *tls.Config
}

// Server is a running echo server.
type Server struct {
	opts    Options
	address netip.AddrPort
	http    *http.Server
	grpc    *grpc.Server
	done    chan struct{}
	err     error
}

// Start listens and serves until Close.
func Start(opts Options) (*Server, error) {
	if !opts.Address.IsValid() {
		opts.Address = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)
	}
	listener, err := net.Listen("tcp", opts.Address.String())
	if err != nil {
		return nil, fmt.Errorf("echo server %q cannot listen: %w; choose another port", opts.Name, err)
	}
	address, err := netip.ParseAddrPort(listener.Addr().String())
	if err != nil {
		return nil, err
	}
	s := &Server{opts: opts, address: address, done: make(chan struct{})}
	s.grpc = s.newGRPC()
	s.http = s.newHTTP()
	go s.serve(listener)
	return s, nil
}

func (s *Server) newHTTP() *http.Server {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler: s, Protocols: protocols, TLSConfig: s.opts.TLS,
		ReadHeaderTimeout: 10 * time.Second,
	}
}

func (s *Server) serve(listener net.Listener) {
	defer close(s.done)
	var err error
	if s.opts.TLS != nil {
		err = s.http.ServeTLS(listener, "", "")
	} else {
		err = s.http.Serve(listener)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		s.err = err
	}
}

// Address is where the server listens.
func (s *Server) Address() netip.AddrPort { return s.address }

// Wait returns when the server has ended, with the error that ended it.
func (s *Server) Wait() error {
	<-s.done
	return s.err
}

// Shutdown ends the server once its requests are answered, or the context ends.
func (s *Server) Shutdown(ctx context.Context) {
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
	<-s.done
}

// Close ends the server at once.
func (s *Server) Close() {
	_ = s.http.Close()
	<-s.done
}

var _ http.Handler = (*Server)(nil)

// ServeHTTP tells gRPC, WebSocket and plain requests apart.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
		s.grpc.ServeHTTP(w, r)
	case strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		s.webSocket(w, r)
	default:
		s.plain(w, r)
	}
}
