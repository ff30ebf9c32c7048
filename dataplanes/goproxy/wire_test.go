package goproxy_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/ir"
)

// mirrorOf answers what it was asked, as JSON.
func mirrorOf(t *testing.T) string {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-Hop", "secret")
		w.Header().Set("Keep-Alive", "timeout=1")
		_ = json.NewEncoder(w).Encode(asked{r.RequestURI, r.Host, r.Header, r.Trailer, string(body), r.ContentLength})
	})
}

type asked struct {
	URI     string
	Host    string
	Header  http.Header
	Trailer http.Header
	Body    string
	Length  int64
}

func read(t *testing.T, a answer) asked {
	t.Helper()
	var seen asked
	if err := json.Unmarshal([]byte(a.body), &seen); err != nil {
		t.Fatalf("%v: %d %q", err, a.status, a.body)
	}
	return seen
}

// raw sends text over a connection of its own and returns the response.
func raw(t *testing.T, addr, text string) (*http.Response, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(c)
	res, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	return res, reader
}

func mirrorRig(t *testing.T, limits ir.Limits) (*rig, string) {
	t.Helper()
	r := newRig(t)
	r.unit.Proxy.Settings.Limits = limits
	addr := r.listen("http")
	r.route("http", &ir.Rule{Backends: to(r.backend("b", ir.BackendHTTP1, mirrorOf(t)))})
	r.must()
	return r, addr
}

func TestHopByHopFieldsStay(t *testing.T) {
	_, addr := mirrorRig(t, ir.Limits{})
	res, _ := raw(t, addr, "GET /a/../b%7ec//d?q=%zz;x HTTP/1.1\r\nHost: UP.example:80\r\nConnection: X-Named, keep-alive\r\nX-Named: 1\r\n"+
		"Keep-Alive: 5\r\nProxy-Authorization: x\r\nTE: trailers\r\nX_Forwarded_For: 6.6.6.6\r\nX-Kept: 1\r\n\r\n")
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	seen := read(t, answer{body: string(body)})
	for _, name := range []string{"X-Named", "Keep-Alive", "Proxy-Authorization", "Te", "Connection", "X_forwarded_for", "User-Agent"} {
		if v := seen.Header[name]; v != nil {
			t.Errorf("the backend saw %s: %v", name, v)
		}
	}
	if seen.URI != "/b~c/d?q=%zz;x" || seen.Header.Get("X-Kept") != "1" || seen.Host != "UP.example:80" {
		t.Errorf("the backend saw %+v", seen)
	}
	for _, name := range []string{"X-Hop", "Keep-Alive"} {
		if v := res.Header[name]; v != nil {
			t.Errorf("the client saw %s: %v", name, v)
		}
	}
	if res.Header.Get("Date") == "" || res.Header.Get("Server") != "" {
		t.Errorf("Date %q, Server %q", res.Header.Get("Date"), res.Header.Get("Server"))
	}
}

func TestDoubtfulTargetsAreRefused(t *testing.T) {
	_, addr := mirrorRig(t, ir.Limits{})
	for text, want := range map[string]int{
		"GET /a%2 HTTP/1.1\r\nHost: x\r\n\r\n":                     400,
		"GET /a%00 HTTP/1.1\r\nHost: x\r\n\r\n":                    400,
		"GET /a HTTP/1.1\r\nHost: x/y\r\n\r\n":                     400,
		"GET /a HTTP/1.1\r\nHost: \u212aey.example\r\n\r\n":        400,
		"GET /a HTTP/1.1\r\n\r\n":                                  400,
		"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n":                405,
		"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n":                      405,
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n":                    200,
		"GET http://x.example/abs?q=1 HTTP/1.1\r\nHost: y\r\n\r\n": 200,
	} {
		res, _ := raw(t, addr, text)
		if res.StatusCode != want {
			t.Errorf("%q: got %d, want %d", text, res.StatusCode, want)
		}
		res.Body.Close()
	}
}

func TestLimits(t *testing.T) {
	_, addr := mirrorRig(t, ir.Limits{RequestHeaderBytes: 2048, RequestBodyBytes: 10})
	for _, c := range []struct {
		name, header, body string
		unknown            bool
		want               int
	}{
		{name: "body within", body: "0123456789", want: 200},
		{name: "body over, length known", body: "0123456789a", want: 413},
		{name: "body within, length unknown", body: "0123456789", unknown: true, want: 200},
		{name: "body over, length unknown", body: "0123456789a", unknown: true, want: 413},
		{name: "header over", header: strings.Repeat("h", 3000), want: 431},
	} {
		for proto, client := range map[string]*http.Client{"HTTP/1.1": plain(t), "h2c": h2c(t)} {
			var body io.Reader = strings.NewReader(c.body)
			if c.unknown {
				body = io.MultiReader(body)
			}
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/", body)
			req.Header.Set("X-Long", c.header)
			if got := do(t, client, req); got.status != c.want {
				t.Errorf("%s, %s: got %d, want %d", proto, c.name, got.status, c.want)
			}
		}
	}
}

func TestConnectionLimit(t *testing.T) {
	_, addr := mirrorRig(t, ir.Limits{Connections: 1})
	first, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(first, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := http.ReadResponse(bufio.NewReader(first), nil); err != nil { //nolint:bodyclose // Its connection is closed below.
		t.Fatal(err)
	}
	second, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	_ = second.SetDeadline(time.Now().Add(patience))
	if n, err := second.Read(make([]byte, 1)); err == nil {
		t.Errorf("a connection over the limit was served %d bytes", n)
	}
	first.Close()
	wait.For(t, "a place for another connection", func() bool {
		res, err := plain(t).Get("http://" + addr + "/")
		if err == nil {
			res.Body.Close()
		}
		return err == nil
	})
}

func TestSlowHeaderIsGivenUp(t *testing.T) {
	r := newRig(t)
	r.unit.Proxy.Settings.Timeouts.RequestHeader = ir.Duration(50 * time.Millisecond)
	addr := r.listen("http")
	r.must()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost")
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Errorf("the connection was not closed: %v", err)
	}
}

func TestExpectContinue(t *testing.T) {
	_, addr := mirrorRig(t, ir.Limits{RequestBodyBytes: 4})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	reader := bufio.NewReader(c)
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
	if line, err := reader.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
		t.Fatalf("got %q, %v, want 100", line, err)
	}
	_, _ = reader.ReadString('\n')
	fmt.Fprint(c, "body")
	res, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if seen := read(t, answer{body: string(body)}); seen.Body != "body" || seen.Length != 4 {
		t.Errorf("the backend saw %+v", seen)
	}
	refused, _ := raw(t, addr, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	refused.Body.Close()
	if refused.StatusCode != 413 {
		t.Errorf("got %d, want 413 and no 100 before it", refused.StatusCode)
	}
}

func TestTrailersBothWays(t *testing.T) {
	backend := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
		// A flush keeps the server from sending a length in the place of trailers.
		_ = http.NewResponseController(w).Flush()
		w.Header().Set(http.TrailerPrefix+"X-Seen", r.Trailer.Get("X-Sum")+r.Trailer.Get("X-Forwarded-For"))
	})
	r := newRig(t)
	addr := r.listen("http")
	r.route("http", &ir.Rule{Backends: to(r.backend("b", ir.BackendHTTP1, backend))})
	r.must()
	for proto, client := range map[string]*http.Client{"HTTP/1.1": plain(t), "h2c": h2c(t)} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/", io.MultiReader(strings.NewReader("body")))
		req.Trailer = http.Header{"X-Sum": {"42"}, "X-Forwarded-For": {"6.6.6.6"}}
		got := do(t, client, req)
		if got.body != "body" || got.trailer.Get("X-Seen") != "42" {
			t.Errorf("%s: got %q with trailer %v, want X-Seen: 42", proto, got.body, got.trailer)
		}
	}
}

func TestHeadHasALengthAndNoBody(t *testing.T) {
	backend := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "1234") })
	r := newRig(t)
	addr := r.listen("http")
	r.route("http", &ir.Rule{Backends: to(r.backend("b", ir.BackendHTTP1, backend))})
	r.must()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodHead, "http://"+addr+"/", nil)
	if got := do(t, plain(t), req); got.header.Get("Content-Length") != "1234" || got.header.Get("Content-Type") != "" {
		t.Errorf("got %v, want Content-Length 1234 and nothing guessed", got.header)
	}
}

// TestStreamIsNotHeldBack has a backend that waits for the client to have seen
// each piece.
func TestStreamIsNotHeldBack(t *testing.T) {
	seen := make(chan struct{})
	backend := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for range 3 {
			fmt.Fprint(w, "data: x\n\n")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-seen:
			case <-r.Context().Done():
				return
			}
		}
	})
	r := newRig(t)
	addr := r.listen("http")
	r.route("http", &ir.Rule{Backends: to(r.backend("b", ir.BackendHTTP1, backend))})
	r.must()
	res, err := plain(t).Get("http://" + addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	event := make([]byte, len("data: x\n\n"))
	for range 3 {
		if _, err := io.ReadFull(res.Body, event); err != nil {
			t.Fatal(err)
		}
		seen <- struct{}{}
	}
}

// TestDoubtfulLengthsAreRefused counts the answers: one of a doubtful request is
// its connection's last.
func TestDoubtfulLengthsAreRefused(t *testing.T) {
	_, addr := mirrorRig(t, ir.Limits{})
	const next = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	for text, want := range map[string][]int{
		"POST / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + next:                {400},
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + next:            {400},
		"POST / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx" + next:                        {200, 200},
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 43\r\n\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\n" + next: {200, 200},
	} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		fmt.Fprint(c, text)
		var got []int
		for reader := bufio.NewReader(c); ; {
			res, err := http.ReadResponse(reader, nil)
			if err != nil {
				break
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			got = append(got, res.StatusCode)
		}
		c.Close()
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}
