package haproxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"
	"github.com/sluice-gateway/sluice/dataplanes/rig"
	"github.com/sluice-gateway/sluice/ir"
)

// load asks again and again until it is stopped, and counts.
type load struct {
	asked atomic.Int64
	stop  func() []string
}

// ask begins a load of some clients: each has connections that it keeps, or a new one
// for each request.
func (r *plane) load(addr string, keep bool) *load {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failures []string
	l := &load{}
	for range 4 {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: !keep}}
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				if err := once(client, addr); err != nil {
					mu.Lock()
					failures = append(failures, err.Error())
					mu.Unlock()
				}
				l.asked.Add(1)
			}
		})
	}
	l.stop = func() []string {
		cancel()
		wg.Wait()
		return failures
	}
	r.T.Cleanup(func() { cancel(); wg.Wait() })
	return l
}

func once(client *http.Client, addr string) error {
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.ReadAll(response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}

// Structure that changes under load costs nobody a request: neither who comes anew nor
// who keeps connections and tries again where one has ended.
func TestNothingIsLostAcrossReloads(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	one := r.Backend("one", rig.Named(t, "one"))
	rule := r.Route("http", "/", &ir.Rule{Backends: rig.To(one)})
	r.Must()
	loads := map[string]*load{"new connections": r.load(addr, false), "kept connections": r.load(addr, true)}
	names := []string{rig.Named(t, "a"), rig.Named(t, "b")}
	for i := range 100 {
		next := *rule
		next.Filters = []ir.Filter{{ResponseHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-Round", Value: fmt.Sprint(i)}}}}}
		r.Unit.Proxy.Routes[0] = rig.WithRule(r.Unit.Proxy.Routes[0], &next)
		r.Must()
		r.Endpoints(one.EndpointsKey, names[i%2])
		r.Must()
	}
	for what, l := range loads {
		before := l.asked.Load()
		wait.For(t, what+" are served after the last change", func() bool { return l.asked.Load() > before+20 })
		if failures := l.stop(); len(failures) > 0 {
			t.Errorf("%s: %d of %d failed: %s", what, len(failures), l.asked.Load(), strings.Join(failures[:min(5, len(failures))], "; "))
		}
	}
}

// Requests that outlive the worker that took them come to their end, and workers go
// with their last.
func TestReloadsWhileWorkersAreBusy(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	finish := make(chan bool)
	slow := rig.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
		<-finish
		_, _ = fmt.Fprint(w, "late")
	})
	r.Unit.Proxy.Settings.Timeouts.Drain = 0
	r.Route("http", "/slow", &ir.Rule{Backends: rig.To(r.Backend("slow", slow))})
	rule := r.Route("http", "/", &ir.Rule{Backends: rig.To(r.Backend("one", rig.Named(t, "one")))})
	r.Must()
	var answers sync.WaitGroup
	for i := range 12 {
		answers.Go(func() {
			if status, body, err := rig.Try(t, addr+"/slow"); err != nil || body != "late" {
				t.Errorf("%d %q %v", status, body, err)
			}
		})
		wait.For(t, "the request is under way", func() bool { return r.busy() })
		next := *rule
		next.Filters = []ir.Filter{{ResponseHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-Round", Value: fmt.Sprint(i)}}}}}
		r.Unit.Proxy.Routes[1] = rig.WithRule(r.Unit.Proxy.Routes[1], &next)
		r.Must()
		rig.WantAnswer(t, addr, 200, "one")
	}
	close(finish)
	answers.Wait()
	wait.For(t, "the old workers have gone", func() bool {
		said, err := r.child().Master.Ask(t.Context(), "show proc")
		_, old, _ := strings.Cut(said, "# old workers")
		return err == nil && !strings.Contains(old, " worker ")
	})
}

// busy reports whether the worker has a request under way beside the question.
func (r *plane) busy() bool {
	said, err := r.child().Admin.Ask(context.Background(), "show stat")
	if err != nil {
		r.T.Fatal(err)
	}
	for line := range strings.Lines(said) {
		cells := strings.Split(line, ",")
		if len(cells) > 4 && strings.HasPrefix(cells[0], "apps_slow") && cells[1] == "BACKEND" && cells[4] != "0" {
			return true
		}
	}
	return false
}
