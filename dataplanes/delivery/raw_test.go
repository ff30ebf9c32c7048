package delivery_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/sluice-gateway/sluice/dataplanes/delivery/wire"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/hash"
)

// peer is one end of a stream that a test speaks by hand.
type peer struct {
	t      testing.TB
	stream interface {
		SendMsg(any) error
		RecvMsg(any) error
	}
	// parts and bytes are what has come.
	parts, bytes int
}

func (p *peer) say(message any) {
	p.t.Helper()
	data, err := wire.Encode(message)
	if err != nil {
		p.t.Fatal(err)
	}
	p.sayBytes(data)
}

func (p *peer) sayBytes(data []byte) {
	frame := wire.Frame(data)
	_ = p.stream.SendMsg(&frame) // Whoever reads is told.
}

// hear reads messages until one is a T, and counts parts. It is false at the end
// of the stream.
func hear[T any](p *peer) (*T, error) {
	for {
		var frame wire.Frame
		if err := p.stream.RecvMsg(&frame); err != nil {
			return nil, err
		}
		p.bytes += len(frame)
		message, err := wire.Decode(frame)
		if err != nil {
			return nil, err
		}
		if parts, ok := message.(*wire.Parts); ok {
			p.parts += len(parts.Parts)
		}
		if m, ok := message.(*T); ok {
			return m, nil
		}
	}
}

// heard is hear where the stream must not end.
func heard[T any](p *peer) *T {
	p.t.Helper()
	m, err := hear[T](p)
	if err != nil {
		p.t.Fatalf("no %T comes: %v", m, err)
	}
	return m
}

// dial opens a stream to an operator with a token; the empty one is none.
func (c *cluster) dial(t testing.TB, to netip.AddrPort, token string) *peer {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.ca.pem)
	conn, err := grpc.NewClient("passthrough:///"+to.String(),
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, ServerName: operatorName})),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(wire.Codec{}), grpc.MaxCallRecvMsgSize(wire.MaxFrame)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	if token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, wire.Method)
	if err != nil {
		t.Fatal(err)
	}
	return &peer{t: t, stream: stream}
}

func hello(pod string) *wire.Hello {
	h := &wire.Hello{Unit: gateway, Pod: pod}
	for _, f := range (goproxy.Dataplane{}).Features().Sorted() {
		h.Features = append(h.Features, string(f))
	}
	return h
}

// refusedWith waits for the end of a stream and holds it to a code.
func (p *peer) refusedWith(want codes.Code) {
	p.t.Helper()
	if _, err := hear[wire.Push](p); status.Code(err) != want {
		p.t.Errorf("the stream ended with %v, want %v", err, want)
	}
}

// handOperator is an operator whose part the test plays.
type handOperator struct {
	addr    netip.AddrPort
	streams chan *handStream
}

// handStream is a stream of a pod; the test ends it with end.
type handStream struct {
	*peer
	hello *wire.Hello
	end   func(error)
	gone  <-chan struct{}
}

func (c *cluster) startByHand(t testing.TB, at string) *handOperator {
	t.Helper()
	var config net.ListenConfig
	ln, err := config.Listen(t.Context(), "tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	o := &handOperator{addr: ln.Addr().(*net.TCPAddr).AddrPort(), streams: make(chan *handStream)}
	server := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&c.ca.leaf)), grpc.ForceServerCodec(wire.Codec{}), grpc.MaxRecvMsgSize(wire.MaxFrame))
	server.RegisterService(&grpc.ServiceDesc{ServiceName: wire.Service, Streams: []grpc.StreamDesc{{
		StreamName: wire.Stream, ServerStreams: true, ClientStreams: true,
		Handler: func(_ any, g grpc.ServerStream) error {
			ended := make(chan error, 1)
			s := &handStream{peer: &peer{t: t, stream: g}, end: func(err error) { ended <- err }, gone: g.Context().Done()}
			if s.hello, err = hear[wire.Hello](s.peer); err != nil {
				return err
			}
			select {
			case o.streams <- s:
			case <-g.Context().Done():
				return nil
			}
			select {
			case err := <-ended:
				return err
			case <-g.Context().Done():
				return nil
			}
		},
	}}}, nil)
	go server.Serve(ln) //nolint:errcheck // It ends with Stop.
	t.Cleanup(server.Stop)
	return o
}

// next is the next stream of the pod.
func (o *handOperator) next(t testing.TB) *handStream {
	t.Helper()
	select {
	case s := <-o.streams:
		return s
	case <-time.After(patience):
		t.Fatal("the pod opened no stream")
		return nil
	}
}

// whole is a unit as parts and a push of all of it.
func whole(u *ir.Unit, version string, seq uint64) (*wire.Parts, *wire.Push) {
	parts := &wire.Parts{}
	m := wire.Manifest{Version: version, Lists: make([][]hash.Sum, wire.Kinds)}
	add := func(kind wire.Kind, sum hash.Sum, part any) {
		parts.Parts = append(parts.Parts, wire.WritePart(kind, sum, part))
		m.Lists[kind] = append(m.Lists[kind], sum)
	}
	rest := wire.WithoutLists(u.Proxy)
	add(wire.Rest, hash.Of(rest), rest)
	for _, l := range u.Proxy.Listeners {
		add(wire.Listeners, hash.Of(l), l)
	}
	for _, r := range u.Proxy.Routes {
		add(wire.Routes, hash.Of(r), r)
	}
	for _, b := range u.Proxy.Backends {
		add(wire.Backends, hash.Of(b), b)
	}
	for _, e := range u.Endpoints {
		add(wire.Endpoints, hash.Of(e), e)
	}
	push := &wire.Push{Seq: seq, Version: version, Total: m.Total()}
	for kind := range wire.Kinds {
		push.Edits = append(push.Edits, wire.Edit{Kind: kind, Splices: []wire.Splice{{Insert: m.List(kind)}}})
	}
	return parts, push
}

// onto makes a push of all replace a list that there is.
func onto(push *wire.Push, base uint64, held *wire.Push) *wire.Push {
	push.Base = base
	for i := range push.Edits {
		push.Edits[i].Splices[0].Remove = len(held.Edits[i].Splices[0].Insert)
	}
	return push
}
