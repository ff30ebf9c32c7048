package live

import (
	"context"
	"fmt"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// beat is how often something is sent on a long stream.
const beat = 20 * time.Millisecond

// grpcStream sends and receives on one stream until told to stop, then ends it
// in good order. It returns the number of messages.
func grpcStream(stop <-chan struct{}, address, authority string) (int, error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority(authority))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	desc := &grpc.StreamDesc{StreamName: "Talk", ClientStreams: true, ServerStreams: true}
	stream, err := conn.NewStream(ctx, desc, "/live.Talk/Talk")
	if err != nil {
		return 0, err
	}
	messages := 0
	err = beats(stop, func() error {
		if err := stream.SendMsg(&emptypb.Empty{}); err != nil {
			return err
		}
		messages++
		return stream.RecvMsg(&structpb.Struct{})
	})
	if err != nil {
		return messages, err
	}
	return messages, stream.CloseSend()
}

// webSocket does the same with a WebSocket that echoes.
func webSocket(stop <-chan struct{}, url, host string) (int, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	conn, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{Host: host})
	if err != nil {
		return 0, err
	}
	defer conn.CloseNow()
	messages := 0
	err = beats(stop, func() error {
		want := fmt.Sprint("message ", messages)
		if err := conn.Write(ctx, websocket.MessageText, []byte(want)); err != nil {
			return err
		}
		messages++
		_, got, err := conn.Read(ctx)
		if err == nil && string(got) != want {
			return fmt.Errorf("%q came back as %q", want, got)
		}
		return err
	})
	if err != nil {
		return messages, err
	}
	return messages, conn.Close(websocket.StatusNormalClosure, "")
}

func beats(stop <-chan struct{}, each func() error) error {
	pace := time.NewTicker(beat)
	defer pace.Stop()
	for {
		select {
		case <-stop:
			return nil
		case <-pace.C:
			if err := each(); err != nil {
				return err
			}
		}
	}
}
