package parity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// bytesCodec passes messages as they are: backends answer every method there is.
type bytesCodec struct{}

var _ encoding.Codec = bytesCodec{}

func (bytesCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (bytesCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}

func (bytesCodec) Name() string { return "proto" }

// grpc makes a step's calls over one connection.
func (p *play) grpc(ctx context.Context, id string, g *GRPC) ([]*answer, int, error) {
	authority := or(g.Authority, "a.example")
	l, err := p.link(g.Target, authority, g.TLS)
	if err != nil {
		return nil, 0, err
	}
	// TLS is made in the dialer, so that the connection is the step's own.
	conn, err := grpc.NewClient("passthrough:///proxy",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.open(ctx, "h2") }),
		grpc.WithAuthority(authority),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(bytesCodec{})),
		grpc.WithDisableRetry(), grpc.WithDisableServiceConfig())
	if err != nil {
		return nil, 0, err
	}
	defer conn.Close()
	answers := p.repeat(max(g.Times, 1), g.Concurrency, func() *answer { return p.call(ctx, id, g, conn) })
	return answers, int(l.dials.Load()), nil
}

func (p *play) call(ctx context.Context, id string, g *GRPC, conn *grpc.ClientConn) *answer {
	limit := patience
	if d, err := time.ParseDuration(g.Deadline); err == nil {
		limit = d
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	pairs := []string{"x-parity-id", id}
	for _, field := range g.Metadata {
		name, value, _ := strings.Cut(p.fill(field), ": ")
		pairs = append(pairs, name, value)
	}
	ctx = metadata.AppendToOutgoingContext(ctx, pairs...)
	a := &answer{isGRPC: true, proto: "HTTP/2.0", status: http.StatusOK}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, g.Method)
	if err == nil {
		err = a.converse(g, stream)
	}
	s := status.Convert(err)
	a.grpcStatus, a.grpcMessage = int(s.Code()), s.Message()
	a.readSeen()
	return a
}

// converse sends the messages and reads all that comes back.
func (a *answer) converse(g *GRPC, stream grpc.ClientStream) error {
	defer func() {
		header, _ := stream.Header()
		a.header, a.trailer = fields(header), fields(stream.Trailer())
	}()
	messages := g.Messages
	if len(messages) == 0 {
		messages = []string{"hello"}
	}
	for _, message := range messages {
		text := []byte(message)
		if err := stream.SendMsg(&text); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if g.Lockstep {
			if err := a.receive(stream); err != nil {
				return unexpected(err)
			}
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		if err := a.receive(stream); err != nil {
			return end(err)
		}
	}
}

func (a *answer) receive(stream grpc.ClientStream) error {
	var message []byte
	if err := stream.RecvMsg(&message); err != nil {
		return err
	}
	a.body = message
	a.messages++
	return nil
}

func end(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the stream ended before its messages were answered: %w", err)
	}
	return err
}

func fields(md metadata.MD) http.Header {
	header := http.Header{}
	for name, values := range md {
		for _, value := range values {
			header.Add(name, value)
		}
	}
	return header
}
