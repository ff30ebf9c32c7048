package goproxy_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// hurry is a rate that nobody reaches who sends a byte at a time.
const hurry = 1 << 20

// slowRig asks clients for haste. Its backend reads what it is sent and then
// answers; at /at-once it answers first.
func slowRig(t *testing.T, stall time.Duration) (addr string) {
	t.Helper()
	backend := serve(t, func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/at-once" {
			_ = http.NewResponseController(w).EnableFullDuplex()
			_, _ = w.Write([]byte("begun"))
			_ = http.NewResponseController(w).Flush()
		}
		_, _ = io.Copy(io.Discard, q.Body)
		_, _ = w.Write([]byte(", ended"))
	})
	r := newRig(t)
	r.unit.Proxy.Settings.Timeouts.Stall = ir.Duration(stall)
	r.unit.Proxy.Settings.Limits.MinBodyBytesPerSecond = hurry
	addr = r.listen("http")
	r.route("http", &ir.Rule{Backends: to(r.backend("b", ir.BackendHTTP1, backend))})
	r.must()
	return addr
}

// trickle writes a piece every few milliseconds until the other side has had
// enough of it, or as often as said.
func trickle(times int, write func() error) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range times {
		<-tick.C
		if write() != nil {
			return
		}
	}
}

const forever = int(patience / (5 * time.Millisecond))

// TestSlowBodiesAreGivenUp has clients that never stall and never end.
func TestSlowBodiesAreGivenUp(t *testing.T) {
	addr := slowRig(t, 200*time.Millisecond)
	for name, c := range map[string]struct{ head, piece string }{
		"a length":                        {"POST /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", "1"},
		"a length that is waited for":     {"POST /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 8000\r\n\r\n", "1"},
		"chunks":                          {"POST /sink HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"},
		"nothing but the framing of them": {"POST /sink HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n", "x"},
	} {
		conn := dial(t, addr)
		_, _ = io.WriteString(conn, c.head)
		go trickle(forever, func() error {
			_, err := io.WriteString(conn, c.piece)
			return err
		})
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		res.Body.Close()
		if res.StatusCode != http.StatusRequestTimeout {
			t.Errorf("%s: got %d, want 408", name, res.StatusCode)
		}
	}
	f := dialH2(t, addr)
	f.request(1, false, ":method: POST", ":scheme: http", ":authority: x", ":path: /sink")
	go trickle(forever, func() error { return f.WriteData(1, false, []byte("1")) })
	if got := f.status(); got != "408" {
		t.Errorf("HTTP/2: got %s, want 408", got)
	}
}

// TestSlowStreamsLive has clients that trickle where they may, for longer than
// the stall. That is long enough for a response to begin on a busy machine.
func TestSlowStreamsLive(t *testing.T) {
	const long = 400
	addr := slowRig(t, 1500*time.Millisecond)
	conn := dial(t, addr)
	_, _ = io.WriteString(conn, "POST /at-once HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	trickle(long, func() error {
		_, err := io.WriteString(conn, "1\r\nx\r\n")
		return err
	})
	_, _ = io.WriteString(conn, "0\r\n\r\n")
	if got, err := io.ReadAll(res.Body); err != nil || string(got) != "begun, ended" {
		t.Errorf("a response that streams: %q, %v", got, err)
	}
	call := dialH2(t, addr)
	call.request(1, false, ":method: POST", ":scheme: http", ":authority: x", ":path: /sink", "content-type: application/grpc")
	trickle(long, func() error { return call.WriteData(1, false, []byte("1")) })
	_ = call.WriteData(1, true, []byte("2"))
	if got := call.status(); got != "200" {
		t.Errorf("a call of gRPC: got %s, want 200", got)
	}
}

// TestSlowReadersAreGivenUp has a client that takes something of what it is sent
// all the time, and too little.
func TestSlowReadersAreGivenUp(t *testing.T) {
	cut := make(chan error, 1)
	r := newRig(t)
	r.unit.Proxy.Settings.Timeouts.Stall = ir.Duration(400 * time.Millisecond)
	r.unit.Proxy.Settings.Limits.MinBodyBytesPerSecond = 64 * hurry
	addr := r.listen("http")
	r.route("http", &ir.Rule{Backends: to(r.backend("b", ir.BackendHTTP1, endless(t, cut)))})
	r.must()
	conn := dial(t, addr)
	_ = conn.SetReadBuffer(16 << 10)
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	go readSlowly(conn, 1<<10)
	select {
	case <-cut:
	case <-time.After(patience):
		t.Fatal("the backend still writes for a client that reads next to nothing")
	}
}

func readSlowly(conn net.Conn, piece int) {
	buffer := make([]byte, piece)
	trickle(forever, func() error {
		_, err := conn.Read(buffer)
		return err
	})
}
