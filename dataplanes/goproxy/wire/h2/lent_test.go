package h2

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
)

// TestWholeOutlivesAReset has content that is being sent on when its client
// resets the stream: its octets must not become another's meanwhile.
func TestWholeOutlivesAReset(t *testing.T) {
	const rounds = 20
	come, done := make(chan struct{}, 1), make(chan struct{}, 1)
	r := newRig(t, func(ctx context.Context, q *exchange.Request) *exchange.Response {
		if err := q.Body.(exchange.Gatherer).Gather(time.Time{}); err != nil { //nolint:errcheck,forcetypeassert // It is one.
			t.Error(err)
		}
		whole, ok := q.Whole()
		if !ok {
			t.Error("the content is not whole")
		}
		want := bytes.Clone(whole)
		come <- struct{}{}
		<-ctx.Done()
		for _, b := range takeBuffers(64) {
			b[0] = 'x'
		}
		if !bytes.Equal(whole, want) {
			t.Errorf("got %q, want %q", whole, want)
		}
		done <- struct{}{}
		return &exchange.Response{Status: 200}
	}).start()
	p := r.dial().hello()
	for i := range rounds {
		id := uint32(2*i + 1)
		p.post(id, "content-length", "4")
		p.framer.WriteData(id, true, []byte("mine"))
		<-come
		p.framer.WriteRSTStream(id, http2.ErrCodeCancel)
		<-done
	}
}

// takeBuffers takes as many goroutines as buffers, as pools are of processors.
func takeBuffers(n int) []*[bufferSize]byte {
	taken := make([]*[bufferSize]byte, n)
	var all sync.WaitGroup
	for i := range taken {
		all.Go(func() { taken[i] = buffers.Get().(*[bufferSize]byte) }) //nolint:errcheck,forcetypeassert // The pool holds nothing else.
	}
	all.Wait()
	return taken
}
