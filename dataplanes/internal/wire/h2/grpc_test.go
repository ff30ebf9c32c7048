package h2

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// words is a service in gRPC's own terms: unary, and a stream both ways.
var words = grpc.ServiceDesc{
	ServiceName: "words.Words",
	HandlerType: (*any)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "Say", Handler: say}},
	Streams: []grpc.StreamDesc{
		{StreamName: "Talk", Handler: talk, ServerStreams: true, ClientStreams: true},
		{StreamName: "Wait", Handler: wait, ServerStreams: true, ClientStreams: true},
	},
}

func say(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) { //nolint:revive // It is as package grpc wants it.
	in := &wrapperspb.BytesValue{}
	if err := decode(in); err != nil {
		return nil, err
	}
	if string(in.Value) == "fail" {
		return nil, status.Error(codes.FailedPrecondition, "as you wish: 100 %")
	}
	grpc.SetTrailer(ctx, metadata.Pairs("x-trailer", "t"))
	return in, nil
}

func talk(_ any, s grpc.ServerStream) error {
	for {
		in := &wrapperspb.BytesValue{}
		if err := s.RecvMsg(in); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := s.SendMsg(in); err != nil {
			return err
		}
	}
}

var waited = make(chan struct{}, 10)

func wait(_ any, s grpc.ServerStream) error {
	s.SendHeader(metadata.Pairs("x-here", "1"))
	<-s.Context().Done()
	waited <- struct{}{}
	return s.Context().Err()
}

// grpcThrough is grpc-go's client before the proxy before grpc-go's server.
func grpcThrough(t testing.TB) *grpc.ClientConn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	s.RegisterService(&words, nil)
	go s.Serve(ln)
	t.Cleanup(s.Stop)
	r := through(t, poolTo(t, ln.Addr().String()))
	c, err := grpc.NewClient(r.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestGRPCUnary(t *testing.T) {
	c := grpcThrough(t)
	for _, size := range []int{0, 1, 1000, 100_000, 3_000_000} {
		var trailer metadata.MD
		in, out := &wrapperspb.BytesValue{Value: make([]byte, size)}, &wrapperspb.BytesValue{}
		if err := c.Invoke(t.Context(), "/words.Words/Say", in, out, grpc.Trailer(&trailer)); err != nil || len(out.Value) != size {
			t.Fatalf("%d: got %d, %v", size, len(out.Value), err)
		}
		if len(trailer["x-trailer"]) != 1 {
			t.Errorf("trailers %v", trailer)
		}
	}
	err := c.Invoke(t.Context(), "/words.Words/Say", &wrapperspb.BytesValue{Value: []byte("fail")}, &wrapperspb.BytesValue{})
	if s, _ := status.FromError(err); s.Code() != codes.FailedPrecondition || s.Message() != "as you wish: 100 %" {
		t.Errorf("got %v", err)
	}
	err = c.Invoke(t.Context(), "/words.Words/None", &wrapperspb.BytesValue{}, &wrapperspb.BytesValue{})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("got %v", err)
	}
}

func TestGRPCStreams(t *testing.T) {
	c := grpcThrough(t)
	desc := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	s, err := c.NewStream(t.Context(), desc, "/words.Words/Talk")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		in, out := &wrapperspb.BytesValue{Value: make([]byte, i*17)}, &wrapperspb.BytesValue{}
		if err := s.SendMsg(in); err != nil {
			t.Fatal(err)
		}
		if err := s.RecvMsg(out); err != nil || len(out.Value) != i*17 {
			t.Fatalf("%d: got %d, %v", i, len(out.Value), err)
		}
	}
	s.CloseSend()
	if err := s.RecvMsg(&wrapperspb.BytesValue{}); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the end", err)
	}
}

func TestGRPCCancel(t *testing.T) {
	c := grpcThrough(t)
	ctx, cancel := context.WithCancel(t.Context())
	s, err := c.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/words.Words/Wait")
	if err != nil {
		t.Fatal(err)
	}
	if md, err := s.Header(); err != nil || len(md["x-here"]) != 1 {
		t.Fatalf("got %v, %v", md, err)
	}
	cancel()
	<-waited
	if err := s.RecvMsg(&wrapperspb.BytesValue{}); status.Code(err) != codes.Canceled {
		t.Errorf("got %v", err)
	}
}
