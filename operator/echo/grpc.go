package echo

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// newGRPC serves health, reflection, and every method that has no service: such
// a method takes any message and answers each with a google.protobuf.Struct
// that says who answers and what it got. One handler so serves unary calls and
// streams of every service name that a test thinks of.
func (s *Server) newGRPC() *grpc.Server {
	server := grpc.NewServer(grpc.UnknownServiceHandler(s.anyMethod))
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	reflection.Register(server)
	return server
}

func (s *Server) anyMethod(_ any, stream grpc.ServerStream) error {
	md, _ := metadata.FromIncomingContext(stream.Context())
	method, _ := grpc.MethodFromServerStream(stream)
	stream.SetTrailer(metadata.Pairs("x-echo-name", s.opts.Name))
	if err := asked(md); err != nil {
		return err
	}
	for n := 1; ; n++ {
		// Empty takes any message: what it does not know it keeps as unknown
		// fields.
		got := &emptypb.Empty{}
		if err := stream.RecvMsg(got); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		reply, err := s.message(method, md, n)
		if err != nil {
			return err
		}
		if err := stream.SendMsg(reply); err != nil {
			return err
		}
	}
}

// asked is the status that the request's metadata "x-echo-status" asks for.
func asked(md metadata.MD) error {
	for _, v := range md.Get("x-echo-status") {
		if code, err := strconv.ParseUint(v, 10, 32); err == nil && code > 0 {
			return status.Error(codes.Code(code), "asked for by x-echo-status")
		}
	}
	return nil
}

func (s *Server) message(method string, md metadata.MD, n int) (*structpb.Struct, error) {
	headers := map[string]any{}
	for name, values := range md {
		if !strings.HasSuffix(name, "-bin") {
			headers[name] = strings.ToValidUTF8(strings.Join(values, ", "), "?")
		}
	}
	return structpb.NewStruct(map[string]any{
		"name": s.opts.Name, "namespace": s.opts.Namespace, "service": s.opts.Service,
		"endpoint": s.address.String(), "method": method, "headers": headers, "message": n,
	})
}
