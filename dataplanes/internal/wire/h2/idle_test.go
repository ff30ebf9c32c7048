package h2

import (
	"net"
	"runtime"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// BenchmarkIdleConnection tells what the server's end of an idle connection
// holds, the goroutine that waits for it included.
func BenchmarkIdleConnection(b *testing.B) {
	r := toHTTP1(b, fixedBackend(b))
	conns := make([]net.Conn, 0, 2000)
	g := newGroup(r)
	if err := g.round(); err != nil {
		b.Fatal(err)
	}
	before := held()
	for range cap(conns) {
		c, err := net.Dial("tcp", r.addr)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patient))
		conns = append(conns, c)
		once(b, c)
	}
	waitFor(b, func() bool { return r.active() == 0 })
	each := float64(held()-before) / float64(len(conns))
	for b.Loop() {
	}
	b.ReportMetric(each, "B/conn")
}

func held() uint64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// once sends one request and takes its answer.
func once(b *testing.B, c net.Conn) {
	b.Helper()
	e := newEncoder()
	out := append([]byte(greeting), make([]byte, frameHeader)...)
	for i := 0; i < len(getPseudo); i += 2 {
		out = e.field(out, getPseudo[i], getPseudo[i+1])
	}
	out = sealBlock(out, len(greeting), frame{stream: 1, flags: http2.FlagHeadersEndStream}, initialFrame)
	if _, err := c.Write(out); err != nil {
		b.Fatal(err)
	}
	g := group{rawPeer: &rawPeer{conn: c}, buf: make([]byte, 4096)}
	if err := g.ends(1); err != nil {
		b.Fatal(err)
	}
}
