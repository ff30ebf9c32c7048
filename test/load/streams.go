package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// A stream says so many messages, one each beat, and waits for the answer to
// each. It takes a second: shorter than a proxy may drain, or a backend that is told
// to go.
const (
	messages = 50
	beat     = 20 * time.Millisecond
)

// caller makes one gRPC call after the other over connections that it keeps.
// The address is as good as any: nothing is dialled before the first call.
type caller struct {
	conn *grpc.ClientConn
}

func newCaller(address, authority string) caller {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority(authority))
	if err != nil {
		panic(fmt.Sprintf("gRPC to %s: %v", address, err))
	}
	return caller{conn: conn}
}

func (c caller) call(ctx context.Context) error {
	return c.conn.Invoke(ctx, "/load.Talk/Call", &emptypb.Empty{}, &structpb.Struct{})
}

// stream is one of a client that sends and of a server that answers, and ends in
// good order.
func (c caller) stream(ctx context.Context) error {
	desc := &grpc.StreamDesc{StreamName: "Talk", ClientStreams: true, ServerStreams: true}
	stream, err := c.conn.NewStream(ctx, desc, "/load.Talk/Talk")
	if err != nil {
		return err
	}
	err = talk(func(int) error {
		if err := stream.SendMsg(&emptypb.Empty{}); err != nil {
			return err
		}
		return stream.RecvMsg(&structpb.Struct{})
	})
	if err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	if err := stream.RecvMsg(&structpb.Struct{}); !errors.Is(err, io.EOF) {
		return fmt.Errorf("the end of the stream is %w", err)
	}
	return nil
}

// echoed is a WebSocket whose messages come back, and that ends in good order.
func echoed(url, host string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{Host: host})
		if err != nil {
			return err
		}
		defer conn.CloseNow()
		err = talk(func(n int) error {
			want := fmt.Sprint("message ", n)
			if err := conn.Write(ctx, websocket.MessageText, []byte(want)); err != nil {
				return err
			}
			_, got, err := conn.Read(ctx)
			if err == nil && string(got) != want {
				return fmt.Errorf("%q came back as %q", want, got)
			}
			return err
		})
		if err != nil {
			return err
		}
		return conn.Close(websocket.StatusNormalClosure, "")
	}
}

func talk(each func(n int) error) error {
	pace := time.NewTicker(beat)
	defer pace.Stop()
	for n := range messages {
		<-pace.C
		if err := each(n); err != nil {
			return fmt.Errorf("message %d of %d: %w", n+1, messages, err)
		}
	}
	return nil
}
