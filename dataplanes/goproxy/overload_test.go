package goproxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/ir"
)

// TestRequestsBeyondTheLimitAreShed has a request under way that is the last one
// to be let in.
func TestRequestsBeyondTheLimitAreShed(t *testing.T) {
	asked, goOn := make(chan string, 100), make(chan bool)
	r := newRig(t)
	r.unit.Proxy.Settings.Limits.Requests = 1
	addr := r.listen("http")
	backend := serve(t, func(_ http.ResponseWriter, q *http.Request) {
		asked <- q.URL.Path
		<-goOn
	})
	r.route("http", &ir.Rule{Backends: to(r.backend("b", ir.BackendHTTP1, backend))})
	r.must()
	first := make(chan int)
	go func() { first <- get(t, plain(t), "http://"+addr+"/first").status }()
	<-asked

	got := get(t, plain(t), "http://"+addr+"/second")
	if got.status != 503 || got.header.Get("Retry-After") != "1" {
		t.Errorf("one too many: got %d, %v", got.status, got.header)
	}
	if got = get(t, h2c(t), "http://"+addr+"/second"); got.status != 503 {
		t.Errorf("one too many over HTTP/2: got %d", got.status)
	}
	// A body is not waited for.
	res, _ := raw(t, addr, "POST /second HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
	res.Body.Close()
	if res.StatusCode != 503 || !res.Close {
		t.Errorf("one with a body that has not come: got %d, closed: %t", res.StatusCode, res.Close)
	}
	goOn <- true
	if got := <-first; got != 200 {
		t.Errorf("the one under way: got %d, want 200", got)
	}
	close(goOn)
	wait.For(t, "the place is free", func() bool { return get(t, plain(t), "http://"+addr+"/third").status == 200 })
	if text := r.metrics(t); !strings.Contains(text, `sluice_proxy_requests_shed_total{reason="requests"} `) {
		t.Error("the metrics do not say so")
	}
}

// TestShortMemoryShedsRequests has less memory than any process needs.
func TestShortMemoryShedsRequests(t *testing.T) {
	before := debug.SetMemoryLimit(1 << 20)
	r := newRig(t)
	debug.SetMemoryLimit(before)
	addr := r.listen("http")
	r.route("http", &ir.Rule{Backends: to(r.backend("b", ir.BackendHTTP1, named(t, "b")))})
	tcp := r.layer4("tcp", ir.TCP, freePort(t))
	r.carry(ir.TCPRoute, "tcp", nil, to(r.backend("s", ir.BackendTCP, streamBackend(t, "s")))...)
	r.must()
	wait.For(t, "503", func() bool { return get(t, plain(t), "http://"+addr+"/").status == 503 })
	conn := dial(t, tcp)
	if said, err := io.ReadAll(conn); len(said) > 0 {
		t.Errorf("a stream was let in: %q, %v", said, err)
	}
	if got := get(t, plain(t), "http://"+r.admin.String()+"/readyz"); got.status != 200 {
		t.Errorf("readiness: %d", got.status)
	}
	text := r.metrics(t)
	for _, want := range []string{`sluice_proxy_requests_shed_total{reason="memory"} `, "sluice_proxy_memory_pressed 1"} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	wait.For(t, "a flag in the log", func() bool { return strings.Contains(r.log.String(), `"flags":"overloaded"`) })
}

// TestBodiesWithoutRoomAreSentOnce has a body that could be sent again if there
// were room to keep it.
func TestBodiesWithoutRoomAreSentOnce(t *testing.T) {
	for _, c := range []struct {
		room  int64
		want  int
		tries int64
	}{{0, 200, 2}, {100, 200, 2}, {3, 503, 1}} {
		backend, asked := failing(t, 1, 503)
		r, addr := one(t, func(r *rig) *ir.Rule {
			r.unit.Proxy.Settings.Limits.RetryBufferBytes = c.room
			return &ir.Rule{
				Backends: to(r.backend("b", ir.BackendHTTP1, backend)),
				Retry:    &ir.Retry{Codes: []int{503}, Attempts: 1, Backoff: ir.Duration(time.Millisecond)},
			}
		})
		for range 3 {
			// What was kept is given back.
			asked.Store(0)
			// One of unknown length: a short one that has come whole needs no room.
			body := struct{ io.Reader }{strings.NewReader("body")}
			if got := post(t, addr, body); got.status != c.want || asked.Load() != c.tries {
				t.Errorf("room for %d: got %d after %d tries, want %d after %d", c.room, got.status, asked.Load(), c.want, c.tries)
			}
		}
		full := strings.Contains(r.metrics(t), "sluice_proxy_retry_buffer_full_total 3")
		if full != (c.want == 503) {
			t.Errorf("room for %d: the metric says full: %t", c.room, full)
		}
	}
}

// odd is a request of which everything is the client's own.
func odd(n int) string {
	method := [...]string{"GET", "BREW", fmt.Sprintf("M%d", n), "POST", "get"}[n%5]
	return fmt.Sprintf("%s /p%d?q=%d HTTP/1.1\r\nHost: h%d.example:%d\r\nX-Odd-%d: %d\r\nX-Forwarded-For: 10.0.%d.%d\r\nUser-Agent: a%d\r\nContent-Length: 0\r\n\r\n",
		method, n, n, n, n%60000+1, n, n, n/256%256, n%256, n)
}

// TestNoSeriesIsAClients counts the series before and after clients have named
// everything that they can name.
func TestNoSeriesIsAClients(t *testing.T) {
	r := newRig(t)
	addr := r.listen("http")
	status := serve(t, func(w http.ResponseWriter, q *http.Request) {
		w.WriteHeader(200 + int(q.URL.Path[len(q.URL.Path)-1]-'0')%4*100)
	})
	r.route("http", &ir.Rule{
		Matches:  []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: "/p1"}}, {Path: ir.PathMatch{Kind: ir.Regex, Value: "/p[1-7].*"}}},
		Backends: to(r.backend("b", ir.BackendHTTP1, status)),
	})
	r.must()
	const some, all = 500, 10000
	count := func(from, to int) int {
		askOddly(t, addr, from, to)
		wait.For(t, "all are counted", func() bool { return strings.Contains(r.metrics(t), "sluice_proxy_active_requests 0") })
		return series(r.metrics(t))
	}
	before := count(0, some)
	if after := count(some, all); after != before {
		t.Errorf("%d requests have %d series, %d have %d: a client chooses a label", some, before, all, after)
	}
	for _, mine := range []string{"h9999", "M9998", "p9999", "a9999", "10.0."} {
		if strings.Contains(r.metrics(t), mine) {
			t.Errorf("the metrics hold a client's %s", mine)
		}
	}
}

// askOddly sends odd requests one behind the other.
func askOddly(t *testing.T, addr string, from, to int) {
	t.Helper()
	var conn net.Conn
	var reader *bufio.Reader
	for n := from; n < to; n++ {
		if conn == nil {
			conn = dial(t, addr)
			reader = bufio.NewReader(conn)
		}
		if _, err := io.WriteString(conn, odd(n)); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatalf("request %d: %v", n, err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.Close || n%1000 == 0 {
			conn.Close()
			conn = nil
		}
	}
}

func series(text string) int {
	n := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			n++
		}
	}
	return n
}
