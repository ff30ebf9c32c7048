package live

import (
	"context"
	_ "embed"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/test/load"
)

//go:embed testdata/base.yaml
var base string

//go:embed testdata/route.yaml
var route string

// editsUnderLoad is how often a route is edited, and longStream how long a
// stream is open at the least while that goes on.
const (
	editsUnderLoad = 1000
	longStream     = 30 * time.Second
	host           = "live.localhost"
)

// TestEditsUnderLoad edits a route again and again under five clients, a gRPC
// stream, a WebSocket, a connection of TLS that is passed on and a session of
// UDP. Each edit changes what the route answers with, how it
// splits its traffic, and by turns its backends and its rules; the next one
// comes when every client has seen it. Nothing may fail.
func TestEditsUnderLoad(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	p := start(t, map[string]string{"base.yaml": base, "route.yaml": edited(0), "layer4.yaml": layer4(t)})
	p.waitServing(ctx, t, host)
	clients := allClients(p, host)
	began := time.Now()
	streams := openStreams(p)
	halt := sendAll(ctx, clients)
	for n := int64(1); n <= editsUnderLoad; n++ {
		p.write(t, "route.yaml", edited(n))
		poll(ctx, t, fmt.Sprintf("edit %d at every client", n), func() string { return counts(clients) + p.out.String() }, func() bool {
			return allSaw(clients, n) || anyFailed(clients)
		})
		if anyFailed(clients) {
			break
		}
	}
	edits := time.Since(began)
	for time.Since(began) < longStream && !anyFailed(clients) {
		<-time.After(longStream - time.Since(began))
	}
	halt()
	streams.finish(t, time.Since(began))
	t.Logf("%d edits in %s\n%s", editsUnderLoad, edits.Round(time.Millisecond), counts(clients))
	noneFailed(t, clients)
}

func noneFailed(t *testing.T, clients []*client) {
	t.Helper()
	if err := load.Err(senders(clients)); err != nil {
		t.Error(err)
	}
}

// edited is the route after its nth edit.
func edited(n int64) string {
	first, second := "red", "blue"
	if n%5 == 0 {
		first, second = second, first
	}
	extra := ""
	if n%3 == 0 {
		extra = fmt.Sprintf("\n  - matches: [{path: {type: Exact, value: /extra-%d}}]\n    backendRefs: [{name: %s, port: 80}]", n, second)
	}
	return fmt.Sprintf(route, n, first, 1+n%7, second, n%2, extra)
}

func sendAll(ctx context.Context, clients []*client) (halt func()) {
	return load.Start(ctx, senders(clients))
}

func allSaw(clients []*client, edit int64) bool {
	for _, c := range clients {
		if c.edit.Load() < edit {
			return false
		}
	}
	return true
}

func anyFailed(clients []*client) bool { return load.AnyFailed(senders(clients)) }

func counts(clients []*client) string {
	text := ""
	for _, c := range clients {
		text += fmt.Sprintf("%-20s %6d requests, %d failed, last edit seen %d\n", c.Name, c.Requests(), c.Failed(), c.edit.Load())
	}
	return text
}

// streams are the long ones.
type streams struct {
	stop    chan struct{}
	running sync.WaitGroup
	results [4]result
}

type result struct {
	name     string
	messages int
	err      error
}

func openStreams(p *program) *streams {
	s := &streams{stop: make(chan struct{})}
	s.running.Go(func() {
		n, err := grpcStream(s.stop, p.at(plainPort), "grpc.localhost")
		s.results[0] = result{"gRPC stream", n, err}
	})
	s.running.Go(func() {
		n, err := webSocket(s.stop, "ws://"+p.at(plainPort)+"/ws", host)
		s.results[1] = result{"WebSocket", n, err}
	})
	s.running.Go(func() {
		n, err := passed(s.stop, p.at(securePort))
		s.results[2] = result{"TLS passed on", n, err}
	})
	s.running.Go(func() {
		n, err := session(s.stop, p.at(securePort))
		s.results[3] = result{"UDP session", n, err}
	})
	return s
}

func (s *streams) finish(t *testing.T, open time.Duration) {
	t.Helper()
	close(s.stop)
	s.running.Wait()
	for _, r := range s.results {
		t.Logf("%-20s %6d messages in %s", r.name, r.messages, open.Round(time.Second))
		if r.err != nil || r.messages == 0 {
			t.Errorf("%s: failed after %d messages: %v", r.name, r.messages, r.err)
		}
	}
}
