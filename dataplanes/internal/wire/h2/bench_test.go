package h2

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/h1"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// fixedBackend answers HTTP/1.1 with the same octets, by as little work as can
// be, so that what a benchmark measures is the proxy.
func fixedBackend(b testing.TB) string {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ln.Close() })
	answer := []byte("HTTP/1.1 200 OK\r\nServer: backend\r\nDate: Fri, 20 Nov 2026 10:00:00 GMT\r\n" +
		"Content-Type: text/plain\r\nContent-Length: 13\r\nCache-Control: no-store\r\n\r\nHello, world!")
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				raw, buf := rawconn.New(c), make([]byte, 4096)
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

// toHTTP1 is a server before a pool of HTTP/1.1.
func toHTTP1(b testing.TB, addr string) *rig {
	b.Helper()
	pool := &h1.Pool{Dial: func(ctx context.Context) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, err
		}
		return rawconn.New(c), nil
	}}
	b.Cleanup(pool.Close)
	r := newRig(b, func(ctx context.Context, q *exchange.Request) *exchange.Response {
		p, err := pool.Do(ctx, exchange.Ask{Request: q})
		if err != nil {
			return &exchange.Response{Status: 502}
		}
		return p
	})
	return r.start()
}

// group is a client that sends requests by tens and waits for all of them.
type group struct {
	*rawPeer
	id  uint32
	out []byte
	enc encoder
	buf []byte
}

func newGroup(r *rig) *group {
	p := r.dial().hello(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
	p.framer.WriteWindowUpdate(0, 1<<30)
	p.conn.SetDeadline(time.Time{})
	return &group{rawPeer: p, id: 1, enc: newEncoder(), buf: make([]byte, 64<<10)}
}

const perGroup = 10

// round is one group. Ends of streams are counted by walking over frames.
func (g *group) round() error {
	g.out = g.out[:0]
	for range perGroup {
		at := len(g.out)
		g.out = append(g.out, make([]byte, frameHeader)...)
		for i := 0; i < len(getPseudo); i += 2 {
			g.out = g.enc.field(g.out, getPseudo[i], getPseudo[i+1])
		}
		g.out = g.enc.field(g.out, "user-agent", "bench/1.0")
		g.out = sealBlock(g.out, at, frame{stream: g.id, flags: http2.FlagHeadersEndStream}, initialFrame)
		g.id += 2
	}
	if _, err := g.conn.Write(g.out); err != nil {
		return err
	}
	return g.ends(perGroup)
}

func (g *group) ends(want int) error {
	have := 0
	for want > 0 {
		n, err := g.conn.Read(g.buf[have:])
		if err != nil {
			return err
		}
		have += n
		at := 0
		for have-at >= frameHeader {
			b := g.buf[at:have]
			length := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
			if len(b) < frameHeader+length {
				break
			}
			if b[3] <= 1 && b[4]&1 != 0 {
				want--
			}
			if b[3] == 3 || b[3] == 7 {
				return fmt.Errorf("frame of type %d", b[3])
			}
			at += frameHeader + length
		}
		have = copy(g.buf, g.buf[at:have])
	}
	return nil
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkExchange counts client, proxy and backend together. One operation is
// one request of a group of ten.
func BenchmarkExchange(b *testing.B) {
	for name, r := range map[string]*rig{
		"to http1": toHTTP1(b, fixedBackend(b)),
		"no backend": newRig(b, func(context.Context, *exchange.Request) *exchange.Response {
			return &exchange.Response{Status: 200, Length: 2, Body: io.NopCloser(strings.NewReader("ok"))}
		}).quiet().start(),
		"to h2c": through(b, poolTo(b, newRig(b, func(context.Context, *exchange.Request) *exchange.Response {
			return &exchange.Response{Status: 204}
		}).quiet().start().addr)).quiet(),
	} {
		b.Run(name, func(b *testing.B) {
			g := newGroup(r)
			b.ReportAllocs()
			before := cpuTime()
			for i := 0; i < b.N; i += perGroup {
				if err := g.round(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1e3/float64(b.N), "cpu-us/op")
		})
	}
}

func (r *rig) quiet() *rig {
	return r
}

// An ordinary exchange may allocate its stream, the Framer's frame, and the
// handle of the backend's body.
func TestExchangeAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector pools forget on purpose")
	}
	g := newGroup(toHTTP1(t, fixedBackend(t)))
	for range 50 {
		if err := g.round(); err != nil {
			t.Fatal(err)
		}
	}
	got := testing.AllocsPerRun(500, func() {
		if err := g.round(); err != nil {
			t.Fatal(err)
		}
	}) / perGroup
	t.Logf("%.2f allocations an exchange", got)
	if got > 6 {
		t.Errorf("%v allocations an exchange, want at most 6", got)
	}
}
