package echo

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func start(t *testing.T) *Server {
	t.Helper()
	s, err := Start(Options{Name: "shop-1", Namespace: "default", Service: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestHTTPAnswersWhoAndWhat(t *testing.T) {
	s := start(t)
	for _, h2 := range []bool{false, true} {
		protocols := &http.Protocols{}
		protocols.SetHTTP1(!h2)
		protocols.SetUnencryptedHTTP2(h2)
		client := &http.Client{Transport: &http.Transport{Protocols: protocols}}
		req, err := http.NewRequest(http.MethodPost, "http://"+s.Address().String()+"/a%2Fb?status=201&q=1", bytes.NewReader(make([]byte, 5000)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Test", "yes")
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var a Answer
		if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		proto := map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[h2]
		if res.StatusCode != 201 || a.Name != "shop-1" || a.Service != "shop" || a.Path != "/a%2Fb" || a.Query != "status=201&q=1" ||
			a.Method != "POST" || a.BodyBytes != 5000 || a.Proto != proto || a.Headers["X-Test"][0] != "yes" || a.Endpoint != s.Address().String() {
			t.Errorf("status %d, %+v", res.StatusCode, a)
		}
	}
}

func TestKnobs(t *testing.T) {
	base := "http://" + start(t).Address().String()
	for _, c := range []struct {
		query, header string
		status, size  int
	}{
		{"status=503", "", 503, -1},
		{"size=100000", "", 200, 100000},
		{"status=204", "", 204, 0},
		{"delay=1ms&size=0", "", 200, 0},
		{"", "418", 418, -1},
		{"status=99", "", 400, -1},
		{"delay=2h", "", 400, -1},
		{"size=-1", "", 400, -1},
	} {
		req, err := http.NewRequest(http.MethodGet, base+"/?"+c.query, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.header != "" {
			req.Header.Set("X-Echo-Status", c.header)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != c.status || c.size >= 0 && len(body) != c.size {
			t.Errorf("%q: status %d and %d bytes, want %d and %d", c.query, res.StatusCode, len(body), c.status, c.size)
		}
	}
	if _, err := http.Get(base + "/?close"); err == nil {
		t.Error("?close was answered")
	}
}

func TestGRPC(t *testing.T) {
	conn, err := grpc.NewClient(start(t).Address().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx := context.Background()
	if r, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{}); err != nil || r.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("health: %v, %v", r, err)
	}
	reply := &structpb.Struct{}
	if err := conn.Invoke(ctx, "/a.B/C", wrapperspb.String("x"), reply); err != nil || reply.AsMap()["method"] != "/a.B/C" || reply.AsMap()["name"] != "shop-1" {
		t.Errorf("unary: %v, %v", reply, err)
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/a.B/S")
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 3; i++ {
		if err := stream.SendMsg(wrapperspb.Int64(int64(i))); err != nil {
			t.Fatal(err)
		}
		if err := stream.RecvMsg(reply); err != nil || reply.AsMap()["message"] != float64(i) {
			t.Fatalf("stream: %v, %v", reply, err)
		}
	}
	failing := metadata.AppendToOutgoingContext(ctx, "x-echo-status", "14")
	if err := conn.Invoke(failing, "/a.B/C", wrapperspb.String("x"), reply); status.Code(err) != codes.Unavailable {
		t.Errorf("asked for 14, got %v", err)
	}
}

func TestWebSocket(t *testing.T) {
	ctx := context.Background()
	conn, _, err := websocket.Dial(ctx, "ws://"+start(t).Address().String()+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	want := strings.Repeat("x", 10000)
	if err := conn.Write(ctx, websocket.MessageText, []byte(want)); err != nil {
		t.Fatal(err)
	}
	if _, got, err := conn.Read(ctx); err != nil || string(got) != want {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
