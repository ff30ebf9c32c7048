package h2

import (
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// TestGRPCChatter is long enough for the pings and windows by which grpc-go
// measures a line to be taken for a flood.
func TestGRPCChatter(t *testing.T) {
	const words = 8000
	c := grpcThrough(t)
	t.Run("stream", func(t *testing.T) {
		s, err := c.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/words.Words/Talk")
		if err != nil {
			t.Fatal(err)
		}
		for i := range words {
			in, out := &wrapperspb.BytesValue{Value: []byte("word")}, &wrapperspb.BytesValue{}
			if err := s.SendMsg(in); err != nil {
				t.Fatalf("%d: %v", i, err)
			}
			if err := s.RecvMsg(out); err != nil {
				t.Fatalf("%d: %v", i, err)
			}
		}
	})
	t.Run("unary", func(t *testing.T) {
		for i := range words {
			in, out := &wrapperspb.BytesValue{Value: []byte("word")}, &wrapperspb.BytesValue{}
			if err := c.Invoke(t.Context(), "/words.Words/Say", in, out); err != nil {
				t.Fatalf("%d: %v", i, err)
			}
		}
	})
}
