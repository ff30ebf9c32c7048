package goproxy_test

import (
	"io"
	"net"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
	"github.com/sluice-gateway/sluice/ir"
)

const ordinaryRequest = "GET /api/v1/users?page=2 HTTP/1.1\r\n" +
	"Host: shop.example.com\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n" +
	"Accept-Language: en-US,en;q=0.5\r\n" +
	"Accept-Encoding: gzip, deflate, br\r\n" +
	"Referer: https://shop.example.com/\r\n" +
	"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n" +
	"Cache-Control: no-cache\r\n" +
	"Connection: keep-alive\r\n\r\n"

const ordinaryAnswer = "HTTP/1.1 200 OK\r\n" +
	"Server: backend\r\nDate: Fri, 20 Nov 2026 10:00:00 GMT\r\nContent-Type: text/plain\r\n" +
	"Content-Length: 13\r\nCache-Control: no-store\r\nVary: Accept-Encoding\r\n" +
	"Connection: keep-alive\r\n\r\nHello, world!"

// sameAnswer is a backend that does as little as can be.
func sameAnswer(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go answerAlike(c)
		}
	}()
	return ln.Addr().String()
}

func answerAlike(c net.Conn) {
	defer c.Close()
	raw, buf, answer := rawconn.New(c), make([]byte, 4096), []byte(ordinaryAnswer)
	for {
		if _, err := raw.Read(buf); err != nil {
			return
		}
		if _, err := raw.Write(answer); err != nil {
			return
		}
	}
}

// ordinary is a proxy with a route that edits headers, metrics, and an
// access log.
func ordinary(t testing.TB) string {
	t.Helper()
	r := newRig(t)
	r.log.discard = true
	addr := r.listen("http")
	key := r.backend("b", ir.BackendHTTP1, sameAnswer(t))
	r.route("http", &ir.Rule{
		Backends: to(key),
		Matches:  []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: "/api/v1"}}},
		Timeouts: ir.RuleTimeouts{Request: ir.Duration(patience)},
		Filters: []ir.Filter{
			{RequestHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-Tenant", Value: "shop"}}, Remove: []string{"Referer"}}},
			{ResponseHeaders: &ir.HeaderEdit{Add: []ir.Header{{Name: "X-Served-By", Value: "sluice"}}}},
		},
	})
	r.route("http", &ir.Rule{Backends: to(key)})
	r.must()
	return addr
}

// asking is a client that asks the same again and again.
type asking struct {
	conn         *rawconn.Conn
	request, buf []byte
}

func askOf(t testing.TB, addr string) *asking {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &asking{rawconn.New(c), []byte(ordinaryRequest), make([]byte, 4096)}
}

func (a *asking) once(t testing.TB) {
	t.Helper()
	if _, err := a.conn.Write(a.request); err != nil {
		t.Fatal(err)
	}
	n, err := io.ReadAtLeast(a.conn, a.buf, len("HTTP/1.1 200"))
	if err != nil || string(a.buf[9:12]) != "200" {
		t.Fatalf("%q, %v", a.buf[:n], err)
	}
}

// mostAllocations is what an ordinary request may cost on its whole way: door,
// look-up, filters, backend, answer, metrics and access log.
const mostAllocations = 2

func TestOrdinaryRequestAllocatesLittle(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector pools forget on purpose")
	}
	a := askOf(t, ordinary(t))
	for range 1000 {
		a.once(t)
	}
	if got := testing.AllocsPerRun(5000, func() { a.once(t) }); got > mostAllocations {
		t.Errorf("%v allocations a request, want at most %d", got, mostAllocations)
	}
}

// BenchmarkOrdinaryRequest fails beyond its allocations, too.
func BenchmarkOrdinaryRequest(b *testing.B) {
	a := askOf(b, ordinary(b))
	a.once(b)
	b.ReportAllocs()
	for b.Loop() {
		a.once(b)
	}
	if got := testing.AllocsPerRun(5000, func() { a.once(b) }); got > mostAllocations && !raceDetector {
		b.Errorf("%v allocations a request, want at most %d", got, mostAllocations)
	}
}
