package mirror_test

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/mirror"
)

func request(body string) *exchange.Request {
	r := &exchange.Request{Method: "POST", Path: "/", Header: exchange.Header{{Name: "A", Value: "1"}}, Length: -1}
	r.Body = io.NopCloser(strings.NewReader(body))
	return r
}

func TestEachCopyIsItsOwn(t *testing.T) {
	var dropped atomic.Int64
	m := mirror.New(t.Context(), func() { dropped.Add(1) })
	got := make(chan string, 2)
	send := func(_ context.Context, r *exchange.Request) {
		r.Header.Set("A", "changed")
		body, _ := io.ReadAll(r.Body)
		got <- string(body)
	}
	r := request("body")
	m.Copy(r, []mirror.Send{send, send})
	if body, _ := io.ReadAll(r.Body); string(body) != "body" {
		t.Errorf("the request itself read %q", body)
	}
	m.Wait()
	if a, b := <-got, <-got; a != "body" || b != "body" || dropped.Load() != 0 {
		t.Errorf("copies %q and %q, %d dropped", a, b, dropped.Load())
	}
	if v, _ := r.Header.Get("A"); v != "1" {
		t.Error("a copy changed the request's header")
	}
}

func TestOverloadDropsAndCounts(t *testing.T) {
	var dropped, sent atomic.Int64
	m := mirror.New(t.Context(), func() { dropped.Add(1) })
	hold := make(chan struct{})
	send := func(context.Context, *exchange.Request) {
		sent.Add(1)
		<-hold
	}
	const many = 3000
	for range many {
		r := request("")
		r.Length = 0
		m.Copy(r, []mirror.Send{send})
	}
	if dropped.Load() == 0 {
		t.Error("nothing was dropped")
	}
	close(hold)
	m.Wait()
	if sent.Load()+dropped.Load() != many {
		t.Errorf("%d sent and %d dropped of %d", sent.Load(), dropped.Load(), many)
	}
}

func TestEndOfTheProxyEndsItsCopies(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m := mirror.New(ctx, func() {})
	r := request("")
	r.Length = 0
	m.Copy(r, []mirror.Send{func(ctx context.Context, _ *exchange.Request) { <-ctx.Done() }})
	cancel()
	m.Wait()
}

// TestBodiesUnderWayCount has bodies that are being read, and no copy yet: they
// hold memory as well as copies do, and give it back however they end.
func TestBodiesUnderWayCount(t *testing.T) {
	var dropped, sent atomic.Int64
	m := mirror.New(t.Context(), func() { dropped.Add(1) })
	send := func(context.Context, *exchange.Request) { sent.Add(1) }
	piece := strings.Repeat("x", 1<<20)
	const many = 70
	fill := func() (ends []func()) {
		for range many {
			r := request(piece)
			ends = append(ends, m.Copy(r, []mirror.Send{send}))
			if _, err := io.ReadFull(r.Body, make([]byte, len(piece))); err != nil {
				t.Fatal(err)
			}
		}
		return ends
	}
	for range 2 {
		dropped.Store(0)
		ends := fill()
		if held := many - dropped.Load(); held != 64 {
			t.Errorf("%d MiB of bodies under way are held, want 64", held)
		}
		for _, end := range ends {
			end()
		}
		if dropped.Load() != many || sent.Load() != 0 {
			t.Errorf("%d of %d counted as dropped, %d sent", dropped.Load(), many, sent.Load())
		}
	}
	r := request(piece)
	end := m.Copy(r, []mirror.Send{send, send})
	_, _ = io.Copy(io.Discard, r.Body)
	end()
	m.Wait()
	if sent.Load() != 2 {
		t.Errorf("%d sent after the others had ended, want 2", sent.Load())
	}
}

// Who sends a body of known length on reads that much, and no end behind it.
func TestBodyOfKnownLengthNeedsNoEnd(t *testing.T) {
	m := mirror.New(t.Context(), func() { t.Error("the copy was dropped") })
	got := make(chan string, 1)
	r := &exchange.Request{Method: "POST", Body: io.NopCloser(strings.NewReader("copy me")), Length: 7}
	end := m.Copy(r, []mirror.Send{func(_ context.Context, c *exchange.Request) {
		body, _ := io.ReadAll(c.Body)
		got <- string(body)
	}})
	if _, err := io.ReadFull(r.Body, make([]byte, 7)); err != nil {
		t.Fatal(err)
	}
	end()
	if m.Wait(); len(got) != 1 || <-got != "copy me" {
		t.Error("the copy did not come whole")
	}
}
