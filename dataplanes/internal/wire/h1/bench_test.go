package h1

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

const twelveFields = "GET /api/v1/users?page=2 HTTP/1.1\r\n" +
	"Host: shop.example.com\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n" +
	"Accept-Language: en-US,en;q=0.5\r\n" +
	"Accept-Encoding: gzip, deflate, br\r\n" +
	"Referer: https://shop.example.com/\r\n" +
	"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n" +
	"X-Request-Id: 4bf92f35-77b3-4da6-a3ce-929d0e0e4736\r\n" +
	"X-Forwarded-For: 192.0.2.1\r\n" +
	"Cache-Control: no-cache\r\n" +
	"Connection: keep-alive\r\n" +
	"Content-Type: application/json\r\n\r\n"

const twelveFieldsBack = "HTTP/1.1 200 OK\r\n" +
	"Server: backend\r\nDate: Fri, 20 Nov 2026 10:00:00 GMT\r\nContent-Type: text/plain\r\n" +
	"Content-Length: 13\r\nCache-Control: no-store\r\nVary: Accept-Encoding\r\n" +
	"ETag: \"abc\"\r\nX-Frame-Options: DENY\r\nX-Content-Type-Options: nosniff\r\n" +
	"Strict-Transport-Security: max-age=63072000\r\nReferrer-Policy: no-referrer\r\nConnection: keep-alive\r\n\r\nHello, world!"

func BenchmarkParseRequest(b *testing.B) {
	buf, h := []byte(twelveFields), &RequestHead{}
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		h.Reset(RequestInput{Limits: &defaultLimits})
		if n, err := h.Parse(buf); err != nil || n != len(buf) {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkParseResponse(b *testing.B) {
	buf, h := []byte(twelveFieldsBack), &ResponseHead{}
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		h.Reset(ResponseInput{Limits: &defaultLimits, Method: "GET"})
		if _, err := h.Parse(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendRequest(b *testing.B) {
	h := &RequestHead{}
	h.Reset(RequestInput{Limits: &defaultLimits})
	if _, err := h.Parse([]byte(twelveFields)); err != nil {
		b.Fatal(err)
	}
	out := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := AppendRequest(out, &h.Request); err != nil {
			b.Fatal(err)
		}
	}
}

// The ordinary head must not allocate: this fails where a benchmark only tells.
func TestOrdinaryHeadsDoNotAllocate(t *testing.T) {
	q, p := &RequestHead{}, &ResponseHead{}
	in, back, out := []byte(twelveFields), []byte(twelveFieldsBack), make([]byte, 0, 4096)
	got := testing.AllocsPerRun(100, func() {
		q.Reset(RequestInput{Limits: &defaultLimits})
		p.Reset(ResponseInput{Limits: &defaultLimits, Method: "GET"})
		q.Parse(in)
		p.Parse(back)
		AppendRequest(out, &q.Request)
	})
	if got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}

// echoBackend answers everything with the same octets, by as little work as can
// be, so that what a benchmark measures is the proxy.
func echoBackend(b testing.TB) string {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				raw, buf, answer := rawconn.New(c), make([]byte, 4096), []byte(twelveFieldsBack)
				for {
					if _, err := raw.Read(buf); err != nil {
						return
					}
					if _, err := raw.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return ln.Addr().String()
}

func BenchmarkExchange(b *testing.B) {
	for name, wrap := range ways {
		b.Run(name, func(b *testing.B) { benchExchange(b, newProxy(b, echoBackend(b), wrap).start()) })
	}
	b.Run("ReverseProxy of net-http", func(b *testing.B) { benchExchange(b, reverseProxy(b, echoBackend(b))) })
	b.Run("no backend", func(b *testing.B) {
		p := newProxy(b, "", ways["raw"])
		answer := &exchange.Response{Status: 204}
		p.handle(func(context.Context, *exchange.Request) *exchange.Response { return answer })
		benchExchange(b, p.start())
	})
}

// reverseProxy is what this package is measured against.
func reverseProxy(b testing.TB, backend string) *proxy {
	b.Helper()
	target := &url.URL{Scheme: "http", Host: backend}
	s := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true},
	})
	b.Cleanup(s.Close)
	return &proxy{t: b, addr: s.Listener.Addr().String()}
}

// cpuTime is what the whole process has used: client, proxy and backend.
func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchExchange(b *testing.B, p *proxy) {
	b.Helper()
	b.ReportAllocs()
	b.SetParallelism(8)
	before := cpuTime()
	defer func() { b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1e3/float64(b.N), "cpu-us/op") }()
	b.RunParallel(func(pb *testing.PB) {
		c, err := net.Dial("tcp", p.addr)
		if err != nil {
			b.Error(err)
			return
		}
		defer c.Close()
		raw, buf, request := rawconn.New(c), make([]byte, 4096), []byte(twelveFields)
		for pb.Next() {
			if _, err := raw.Write(request); err != nil {
				b.Error(err)
				return
			}
			if _, err := raw.Read(buf); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// An exchange by way of a backend may allocate the handle of the response's
// body, and nothing else that grows with the number of requests.
func TestExchangeAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector pools forget on purpose")
	}
	p := newProxy(t, echoBackend(t), ways["raw"]).start()
	c := rawconn.New(p.dial().Conn)
	buf, request := make([]byte, 4096), []byte(twelveFields)
	got := testing.AllocsPerRun(2000, func() {
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAtLeast(c, buf, 1); err != nil {
			t.Fatal(err)
		}
	})
	if got > 2 {
		t.Errorf("%v allocations an exchange, want at most 2", got)
	}
}
