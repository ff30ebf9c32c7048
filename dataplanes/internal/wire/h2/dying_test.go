package h2

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// TestManyOnADyingConnection has a backend's connection end with a hundred
// exchanges on it: what may be sent again is, once, and nothing else.
func TestManyOnADyingConnection(t *testing.T) {
	const each = 50
	for name, end := range map[string]func(p *rawPeer){
		"cut":                      func(*rawPeer) {},
		"goaway that has seen all": func(p *rawPeer) { p.framer.WriteGoAway(1000, http2.ErrCodeNo, nil) },
		"goaway with an error":     func(p *rawPeer) { p.framer.WriteGoAway(1000, http2.ErrCodeInternal, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			pool, peers := scripted(t)
			var gets, posts, lost atomic.Int64
			var all sync.WaitGroup
			ask := func(q *exchange.Request, count *atomic.Int64) {
				p, err := pool.Do(t.Context(), exchange.Ask{Request: q})
				if err != nil {
					lost.Add(1)
					return
				}
				count.Add(1)
				p.Body.Close()
			}
			for range each {
				all.Go(func() { ask(plainGet(), &gets) })
				all.Go(func() { ask(plainPost("content"), &posts) })
			}
			p := <-peers
			for range 2 * each {
				p.request()
			}
			end(p)
			p.conn.Close()
			p = <-peers
			for range each {
				p.head(p.request(), true, ":status", "204")
			}
			all.Wait()
			if gets.Load() != each || posts.Load() != 0 || lost.Load() != each {
				t.Errorf("%d GETs and %d POSTs answered, %d lost", gets.Load(), posts.Load(), lost.Load())
			}
			p.framer.WritePing(false, [8]byte{1})
			for {
				f, err := p.framer.ReadFrame()
				if err != nil {
					t.Fatal(err)
				}
				if h, ok := f.(*http2.HeadersFrame); ok {
					t.Errorf("stream %d was begun", h.StreamID)
				}
				if ping, ok := f.(*http2.PingFrame); ok && ping.IsAck() {
					break
				}
			}
		})
	}
}

// TestGRPCThroughDrains has connections that are left all the time.
func TestGRPCThroughDrains(t *testing.T) {
	const callers, calls = 10, 150
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	s.RegisterService(&words, nil)
	go s.Serve(ln)
	t.Cleanup(s.Stop)
	back := poolTo(t, ln.Addr().String())
	var turn atomic.Int64
	r := newRig(t, func(ctx context.Context, q *exchange.Request) *exchange.Response {
		p := back.carry(ctx, q)
		p.Close = turn.Add(1)%40 == 0
		if turn.Load()%90 == 0 {
			back.Close()
		}
		return p
	}).start()
	c, err := grpc.NewClient(r.addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for i := range calls {
				in, out := &wrapperspb.BytesValue{Value: make([]byte, i*100)}, &wrapperspb.BytesValue{}
				if err := c.Invoke(t.Context(), "/words.Words/Say", in, out, grpc.WaitForReady(true)); err != nil || len(out.Value) != len(in.Value) {
					t.Errorf("%d: %v", i, err)
				}
			}
		})
	}
	all.Wait()
}
