package goproxy_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/sluice-gateway/sluice/ir"
)

// echoService answers with what it was sent, and says who it is.
type echoService struct {
	pb.UnimplementedTestServiceServer
	name string
}

func (s *echoService) UnaryCall(ctx context.Context, in *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	if in.GetResponseStatus() != nil {
		return nil, status.Error(codes.Code(in.GetResponseStatus().GetCode()), in.GetResponseStatus().GetMessage())
	}
	err := grpc.SetTrailer(ctx, metadata.Pairs("x-trailer", s.name))
	return &pb.SimpleResponse{Payload: in.GetPayload(), Username: s.name}, err
}

func (s *echoService) FullDuplexCall(stream pb.TestService_FullDuplexCallServer) error {
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&pb.StreamingOutputCallResponse{Payload: in.GetPayload()}); err != nil {
			return err
		}
	}
}

func serveGRPC(t *testing.T, name string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	pb.RegisterTestServiceServer(s, &echoService{name: name})
	go s.Serve(ln) //nolint:errcheck // It ends with the test.
	t.Cleanup(s.Stop)
	return ln.Addr().String()
}

func grpcClient(t *testing.T, addr string) pb.TestServiceClient {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return pb.NewTestServiceClient(conn)
}

func payload(s string) *pb.Payload { return &pb.Payload{Body: []byte(s)} }

func grpcRig(t *testing.T, endpoints ...string) (*rig, string) {
	t.Helper()
	r := newRig(t)
	addr := r.listen("http")
	r.route("http", &ir.Rule{Backends: to(r.backend("grpc", ir.BackendH2C, endpoints...))}).Kind = ir.GRPCRoute
	r.must()
	return r, addr
}

func TestGRPCUnaryWithTrailers(t *testing.T) {
	_, addr := grpcRig(t, serveGRPC(t, "one"))
	var trailer metadata.MD
	out, err := grpcClient(t, addr).UnaryCall(t.Context(), &pb.SimpleRequest{Payload: payload("hello")}, grpc.Trailer(&trailer))
	if err != nil {
		t.Fatal(err)
	}
	if string(out.GetPayload().GetBody()) != "hello" || len(trailer["x-trailer"]) != 1 {
		t.Errorf("got %v with trailer %v, want hello with x-trailer", out, trailer)
	}
}

func TestGRPCStatusWithoutBody(t *testing.T) {
	_, addr := grpcRig(t, serveGRPC(t, "one"))
	_, err := grpcClient(t, addr).UnaryCall(t.Context(), &pb.SimpleRequest{
		ResponseStatus: &pb.EchoStatus{Code: int32(codes.FailedPrecondition), Message: "not now: 50% \u00e9"},
	})
	if s := status.Convert(err); s.Code() != codes.FailedPrecondition || s.Message() != "not now: 50% \u00e9" {
		t.Errorf("got %v, want FailedPrecondition", err)
	}
}

func TestGRPCStreamBothWaysAtOnce(t *testing.T) {
	_, addr := grpcRig(t, serveGRPC(t, "one"))
	stream, err := grpcClient(t, addr).FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a", "b", "c"} {
		exchangeOne(t, stream, want)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after CloseSend: %v, want EOF", err)
	}
}

// exchangeOne sends one message of a stream and wants it back.
func exchangeOne(t *testing.T, stream pb.TestService_FullDuplexCallClient, want string) {
	t.Helper()
	if err := stream.Send(&pb.StreamingOutputCallRequest{Payload: payload(want)}); err != nil {
		t.Fatal(err)
	}
	got, err := stream.Recv()
	if err != nil || string(got.GetPayload().GetBody()) != want {
		t.Fatalf("got %v, %v, want %q", got, err, want)
	}
}

func TestGRPCErrorsOfTheProxyAreStatuses(t *testing.T) {
	_, addr := grpcRig(t)
	_, err := grpcClient(t, addr).UnaryCall(t.Context(), &pb.SimpleRequest{})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("no endpoints: %v, want Unavailable", err)
	}
	r := newRig(t)
	other := r.listen("http")
	r.must()
	_, err = grpcClient(t, other).UnaryCall(t.Context(), &pb.SimpleRequest{})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("no route: %v, want Unimplemented", err)
	}
}

func TestGRPCCallsOfOneConnectionSpread(t *testing.T) {
	names := map[string]int{}
	_, addr := grpcRig(t, namedServers(t, 10)...)
	client := grpcClient(t, addr)
	for range 100 {
		out, err := client.UnaryCall(t.Context(), &pb.SimpleRequest{})
		if err != nil {
			t.Fatal(err)
		}
		names[out.GetUsername()]++
	}
	for name, n := range names {
		if n != 10 {
			t.Errorf("endpoint %s got %d of 100 calls, want 10", name, n)
		}
	}
	if len(names) != 10 {
		t.Errorf("%d endpoints were called, want 10", len(names))
	}
}

func namedServers(t *testing.T, n int) []string {
	t.Helper()
	var addrs []string
	for i := range n {
		addrs = append(addrs, serveGRPC(t, string(rune('a'+i))))
	}
	return addrs
}
