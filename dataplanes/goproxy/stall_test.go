package goproxy_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/ir"
)

// stallRig gives up on clients soon. Its backend reads what it is sent, and then
// answers; at /endless it never ends, and cut is told when that fails.
func stallRig(t *testing.T) (addr string, cut chan error) {
	t.Helper()
	cut = make(chan error, 10)
	backend := serve(t, func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/endless" {
			cut <- writeEndlessly(w)
			return
		}
		_, _ = io.Copy(io.Discard, q.Body)
		_, _ = w.Write(bytes.Repeat([]byte("b"), 1000))
	})
	r := newRig(t)
	r.unit.Proxy.Settings.Timeouts.Stall = ir.Duration(100 * time.Millisecond)
	addr = r.listen("http")
	r.route("http", &ir.Rule{
		Backends: to(r.backend("b", ir.BackendHTTP1, backend)),
		Matches:  []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: "/endless"}}, {Path: ir.PathMatch{Kind: ir.Prefix, Value: "/sink"}}},
	})
	r.must()
	return addr, cut
}

// TestSilentBodiesAreGivenUp has clients that promise a body and send one byte.
func TestSilentBodiesAreGivenUp(t *testing.T) {
	addr, _ := stallRig(t)
	for path, want := range map[string]int{"/sink": 408, "/nowhere": 404} {
		res, rest := raw(t, addr, "POST "+path+" HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1")
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("HTTP/1.1, %s: got %d, want %d", path, res.StatusCode, want)
		}
		if _, err := rest.ReadByte(); err != io.EOF { //nolint:errorlint // A reader's io.EOF is never wrapped.
			t.Errorf("HTTP/1.1, %s: the connection was not closed: %v", path, err)
		}
	}
	f := dialH2(t, addr)
	f.request(1, false, ":method: POST", ":scheme: http", ":authority: x", ":path: /sink")
	_ = f.WriteData(1, false, []byte("1"))
	if got := f.status(); got != "408" {
		t.Errorf("HTTP/2: got %s, want 408", got)
	}
}

// TestSilentStreamsOfGRPCLive has a plain request, begun after a call of gRPC,
// be given up first.
func TestSilentStreamsOfGRPCLive(t *testing.T) {
	addr, _ := stallRig(t)
	call := dialH2(t, addr)
	call.request(1, false, ":method: POST", ":scheme: http", ":authority: x", ":path: /sink", "content-type: application/grpc")
	_ = call.WriteData(1, false, []byte("1"))
	for range 2 {
		f := dialH2(t, addr)
		f.request(1, false, ":method: POST", ":scheme: http", ":authority: x", ":path: /sink")
		if got := f.status(); got != "408" {
			t.Errorf("a plain request: got %s, want 408", got)
		}
	}
	_ = call.WriteData(1, true, []byte("2"))
	if got := call.status(); got != "200" {
		t.Errorf("a call of gRPC: got %s, want 200", got)
	}
}

// TestClientsThatDoNotReadAreGivenUp has clients that ask and then take nothing.
func TestClientsThatDoNotReadAreGivenUp(t *testing.T) {
	addr, cut := stallRig(t)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
	f := dialH2(t, addr, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	f.request(1, true, ":method: GET", ":scheme: http", ":authority: x", ":path: /endless")
	for range 2 {
		select {
		case <-cut:
		case <-time.After(patience):
			t.Fatal("the backend still writes for a client that does not read")
		}
	}
	// A body that is so short that only net/http holds it.
	f = dialH2(t, addr, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	f.request(1, true, ":method: GET", ":scheme: http", ":authority: x", ":path: /sink")
	for want := []string{"200", "reset"}; len(want) > 0; want = want[1:] {
		if got := f.status(); got != want[0] {
			t.Errorf("a short body: got %s, want %s", got, want[0])
		}
	}
}

// TestEarlyAnswersSayWhenTheyAreTheLast has requests with bodies that nobody
// reads to their end: a client must not send its next one into a connection that
// is about to be closed, and may after a short body.
func TestEarlyAnswersSayWhenTheyAreTheLast(t *testing.T) {
	r := newRig(t)
	addr := r.listen("http")
	early := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	r.route("http", &ir.Rule{
		Backends: to(r.backend("b", ir.BackendHTTP1, early)),
		Matches:  []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: "/early"}}},
	})
	r.must()
	for _, c := range []struct {
		path   string
		length int
		last   bool
	}{
		{"/nowhere", 600 << 10, true},
		{"/early", 600 << 10, true},
		{"/nowhere", 10, false},
	} {
		for range 5 {
			res, err := plain(t).Post("http://"+addr+c.path, "text/plain", bytes.NewReader(make([]byte, c.length)))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			// Of what a backend refuses, all may have been read meanwhile.
			if res.Close != c.last && c.path != "/early" {
				t.Errorf("%s, %d bytes: close is %t, want %t", c.path, c.length, res.Close, c.last)
			}
		}
	}
}

// endless is a backend that never ends an answer, and tells why it could not go
// on.
func endless(t *testing.T, cut chan<- error) string {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, _ *http.Request) { cut <- writeEndlessly(w) })
}

func writeEndlessly(w io.Writer) (err error) {
	for piece := make([]byte, 64<<10); err == nil; {
		_, err = w.Write(piece)
	}
	return err
}
