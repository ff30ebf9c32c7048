package goproxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/coder/websocket"

	"github.com/sluice-gateway/sluice/ir"
)

func echoSocket(t *testing.T) string {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, data, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if err := c.Write(r.Context(), kind, data); err != nil {
				return
			}
		}
	})
}

func TestWebSocket(t *testing.T) {
	r := newRig(t)
	addr := r.listen("http")
	r.route("http", &ir.Rule{Backends: to(r.backend("ws", ir.BackendHTTP1, echoSocket(t)))})
	r.must()
	c := dialSocket(t, addr)
	for _, want := range []string{"one", "two"} {
		say(t, c, want)
	}
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
}

func dialSocket(t *testing.T, addr string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(t.Context(), "ws://"+addr+"/", nil) //nolint:bodyclose // The package closes it.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}

// say sends one message and wants it back.
func say(t *testing.T, c *websocket.Conn, want string) {
	t.Helper()
	if err := c.Write(t.Context(), websocket.MessageText, []byte(want)); err != nil {
		t.Fatal(err)
	}
	_, got, err := c.Read(t.Context())
	if err != nil || string(got) != want {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

// TestTunnelHalfCloses has a client that ends its side first, and a backend that
// speaks only after that.
func TestTunnelHalfCloses(t *testing.T) {
	backend := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		c, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: parrot\r\n\r\n")
		all, _ := io.ReadAll(buffered)
		fmt.Fprintf(c, "heard %s", all)
	})
	r := newRig(t)
	addr := r.listen("http")
	r.route("http", &ir.Rule{Backends: to(r.backend("parrot", ir.BackendHTTP1, backend))})
	r.must()

	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// The first bytes of the tunnel come before the answer.
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: parrot\r\n\r\nhel")
	reader := bufio.NewReader(c)
	res, err := http.ReadResponse(reader, nil) //nolint:bodyclose // It has none.
	if err != nil || res.StatusCode != 101 || res.Header.Get("Upgrade") != "parrot" {
		t.Fatalf("got %v, %v, want 101", res, err)
	}
	fmt.Fprint(c, "lo")
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(reader); err != nil || string(got) != "heard hello" {
		t.Errorf("got %q, %v, want %q", got, err, "heard hello")
	}
}

func TestRefusedUpgradeIsAnOrdinaryAnswer(t *testing.T) {
	r := newRig(t)
	addr := r.listen("http")
	r.route("http", &ir.Rule{Backends: to(r.backend("plain", ir.BackendHTTP1, named(t, "plain")))})
	r.must()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/", nil)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket")
	if got := do(t, plain(t), req); got.status != 200 || got.body != "plain" {
		t.Errorf("got %d %q, want 200 plain", got.status, got.body)
	}
}

// TestUnaskedSwitchIsABrokenAnswer has a backend that answers 101 for "evil",
// whatever it is asked.
func TestUnaskedSwitchIsABrokenAnswer(t *testing.T) {
	backend := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: evil\r\n\r\n")
	})
	r := newRig(t)
	addr := r.listen("http")
	r.route("http", &ir.Rule{Backends: to(r.backend("evil", ir.BackendHTTP1, backend))})
	r.must()
	for name, header := range map[string]string{
		"no upgrade": "", "another upgrade": "Connection: Upgrade\r\nUpgrade: websocket\r\n",
	} {
		res, _ := raw(t, addr, "GET / HTTP/1.1\r\nHost: x\r\n"+header+"\r\n")
		res.Body.Close()
		if res.StatusCode != 502 {
			t.Errorf("HTTP/1.1, %s: got %d, want 502", name, res.StatusCode)
		}
	}
	if got := get(t, h2c(t), "http://"+addr+"/"); got.status != 502 {
		t.Errorf("h2c: got %d, want 502", got.status)
	}
}
