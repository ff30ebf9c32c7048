package goproxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/ir"
)

// dead returns an address at which nothing listens.
func dead(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", freePort(t))
}

// one applies a rule on one listener and returns its address.
func one(t *testing.T, rule func(*rig) *ir.Rule) (*rig, string) {
	t.Helper()
	r := newRig(t)
	addr := r.listen("http")
	r.route("http", rule(r))
	r.must()
	return r, addr
}

func post(t *testing.T, addr string, body io.Reader) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/", body)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, plain(t), req)
}

func TestFailedConnectionGoesElsewhereWithoutAPolicy(t *testing.T) {
	echo := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	_, addr := one(t, func(r *rig) *ir.Rule {
		return &ir.Rule{Backends: to(r.backend("b", ir.BackendHTTP1, dead(t), echo, dead(t)))}
	})
	for range 6 {
		if got := post(t, addr, strings.NewReader("body")); got.status != 200 || got.body != "body" {
			t.Errorf("got %d %q, want 200 body", got.status, got.body)
		}
	}
}

func TestStatusesOfOurOwn(t *testing.T) {
	broken := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for _, c := range []struct {
		name string
		rule func(*rig) *ir.Rule
		want int
		flag string
	}{
		{"connection refused", func(r *rig) *ir.Rule { return &ir.Rule{Backends: to(r.backend("b", ir.BackendHTTP1, dead(t)))} }, 503, "connection_failure"},
		{"no endpoints", func(r *rig) *ir.Rule { return &ir.Rule{Backends: to(r.backend("b", ir.BackendHTTP1))} }, 503, "no_endpoints"},
		{"broken response", func(r *rig) *ir.Rule { return &ir.Rule{Backends: to(r.backend("b", ir.BackendHTTP1, broken))} }, 502, "backend_reset"},
		{"connection refused, HTTP/2", func(r *rig) *ir.Rule { return &ir.Rule{Backends: to(r.backend("b", ir.BackendH2C, dead(t)))} }, 503, "connection_failure"},
		{"broken response, HTTP/2", func(r *rig) *ir.Rule { return &ir.Rule{Backends: to(r.backend("b", ir.BackendH2C, broken))} }, 502, "backend_reset"},
		{"no backends", func(*rig) *ir.Rule { return &ir.Rule{} }, 500, "no_backend"},
		{"unresolved backend", func(*rig) *ir.Rule { return &ir.Rule{Backends: []ir.BackendUse{{Weight: 1}}} }, 500, "no_backend"},
		{"refused rule", func(*rig) *ir.Rule { return &ir.Rule{Refused: "because"} }, 500, "refused_rule"},
		{"no route", func(*rig) *ir.Rule {
			return &ir.Rule{Matches: []ir.Match{{Path: ir.PathMatch{Kind: ir.Exact, Value: "/other"}}}}
		}, 404, "no_route"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, addr := one(t, c.rule)
			if got := get(t, plain(t), "http://"+addr+"/"); got.status != c.want {
				t.Errorf("got %d, want %d", got.status, c.want)
			}
			wait.For(t, "the flag in the log", func() bool { return strings.Contains(r.log.String(), `"flags":"`+c.flag+`"`) })
		})
	}
}

// TestResponsesThatTakeTooLong has backends that begin an answer and never end it.
func TestResponsesThatTakeTooLong(t *testing.T) {
	hanging := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begun")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	for _, protocol := range []ir.BackendProtocol{ir.BackendHTTP1, ir.BackendH2C} {
		for name, client := range map[string]*http.Client{"HTTP/1.1": plain(t), "h2c": h2c(t)} {
			t.Run(name+" to "+string(protocol), func(t *testing.T) {
				r, addr := one(t, func(r *rig) *ir.Rule {
					return &ir.Rule{
						Backends: to(r.backend("b", protocol, hanging)),
						Timeouts: ir.RuleTimeouts{Request: ir.Duration(200 * time.Millisecond)},
					}
				})
				res, err := client.Get("http://" + addr + "/")
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				if got, err := io.ReadAll(res.Body); err == nil || string(got) != "begun" {
					t.Errorf("got %q, %v, want an answer that breaks off", got, err)
				}
				wait.For(t, "the flag in the log", func() bool { return strings.Contains(r.log.String(), `"flags":"timeout"`) })
			})
		}
	}
}

// failing answers a status until it was asked as often as said, then 200 and
// what it was sent.
func failing(t *testing.T, times int64, status int) (string, *atomic.Int64) {
	t.Helper()
	var asked atomic.Int64
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) <= times {
			w.WriteHeader(status)
			return
		}
		_, _ = io.Copy(w, r.Body)
	}), &asked
}

func TestRetryByCode(t *testing.T) {
	long := strings.Repeat("x", 65<<10)
	for _, c := range []struct {
		name, body string
		fails      int64
		want       int
		asked      int64
	}{
		{"within the attempts", "body", 2, 200, 3},
		{"beyond the attempts", "body", 3, 503, 3},
		{"body too long to be kept", long, 1, 503, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			backend, asked := failing(t, c.fails, 503)
			_, addr := one(t, func(r *rig) *ir.Rule {
				return &ir.Rule{
					Backends: to(r.backend("b", ir.BackendHTTP1, backend)),
					Retry:    &ir.Retry{Codes: []int{503}, Attempts: 2, Backoff: ir.Duration(time.Millisecond)},
				}
			})
			got := post(t, addr, strings.NewReader(c.body))
			if got.status != c.want || asked.Load() != c.asked || got.status == 200 && got.body != c.body {
				t.Errorf("got %d after %d tries, want %d after %d", got.status, asked.Load(), c.want, c.asked)
			}
		})
	}
}

func TestRetryLeavesOtherCodesAlone(t *testing.T) {
	backend, asked := failing(t, 5, 500)
	_, addr := one(t, func(r *rig) *ir.Rule {
		return &ir.Rule{
			Backends: to(r.backend("b", ir.BackendHTTP1, backend)), Retry: &ir.Retry{Codes: []int{503}, Attempts: 2},
		}
	})
	if got := get(t, plain(t), "http://"+addr+"/"); got.status != 500 || asked.Load() != 1 {
		t.Errorf("got %d after %d tries, want 500 after 1", got.status, asked.Load())
	}
}

// hanging holds its first requests until their clients leave.
func hanging(t *testing.T, times int64) (string, *atomic.Int64) {
	t.Helper()
	var asked atomic.Int64
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) <= times {
			<-r.Context().Done()
			return
		}
		fmt.Fprint(w, "late")
	}), &asked
}

func TestTimeouts(t *testing.T) {
	short := ir.Duration(50 * time.Millisecond)
	for _, c := range []struct {
		name     string
		hangs    int64
		timeouts ir.RuleTimeouts
		retry    *ir.Retry
		want     int
	}{
		{"request", 1, ir.RuleTimeouts{Request: short}, nil, 504},
		{"backend request", 1, ir.RuleTimeouts{BackendRequest: short}, nil, 504},
		{"a try of several", 1, ir.RuleTimeouts{BackendRequest: 20 * short}, &ir.Retry{Attempts: 1}, 200},
		{"every try", 2, ir.RuleTimeouts{BackendRequest: short}, &ir.Retry{Attempts: 1}, 504},
		{"the request over all tries", 9, ir.RuleTimeouts{Request: 3 * short, BackendRequest: short}, &ir.Retry{Attempts: 9}, 504},
	} {
		t.Run(c.name, func(t *testing.T) {
			backend, _ := hanging(t, c.hangs)
			_, addr := one(t, func(r *rig) *ir.Rule {
				return &ir.Rule{
					Backends: to(r.backend("b", ir.BackendHTTP1, backend)), Timeouts: c.timeouts, Retry: c.retry,
				}
			})
			if got := get(t, plain(t), "http://"+addr+"/"); got.status != c.want {
				t.Errorf("got %d, want %d", got.status, c.want)
			}
		})
	}
}

func TestDefaultTimeoutAndItsExemption(t *testing.T) {
	for _, c := range []struct {
		own  ir.Duration
		want int
	}{{0, 504}, {ir.NoTimeout, 200}} {
		release := make(chan struct{})
		backend := serve(t, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
			fmt.Fprint(w, "late")
		})
		r := newRig(t)
		addr := r.listen("http")
		r.unit.Proxy.Settings.Timeouts.Request = ir.Duration(50 * time.Millisecond)
		r.route("http", &ir.Rule{Backends: to(r.backend("b", ir.BackendHTTP1, backend)), Timeouts: ir.RuleTimeouts{Request: c.own}})
		r.must()
		if c.own == ir.NoTimeout {
			time.AfterFunc(200*time.Millisecond, func() { close(release) })
		}
		if got := get(t, plain(t), "http://"+addr+"/"); got.status != c.want {
			t.Errorf("own time-out %v: got %d, want %d", time.Duration(c.own), got.status, c.want)
		}
	}
}

func TestResponseThatOutlastsItsTimeIsCutOff(t *testing.T) {
	backend := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "beginning")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	_, addr := one(t, func(r *rig) *ir.Rule {
		return &ir.Rule{
			Backends: to(r.backend("b", ir.BackendHTTP1, backend)),
			Timeouts: ir.RuleTimeouts{Request: ir.Duration(time.Second)},
		}
	})
	req, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+addr+"/", nil)
	res, err := plain(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("the client took %q for the whole response", body)
	}
}

func TestBackendThatDrainsIsTheLastResort(t *testing.T) {
	r := newRig(t)
	addr := r.listen("http")
	key := r.backend("b", ir.BackendHTTP1, named(t, "live"), named(t, "draining"))
	r.unit.Endpoints[0].Endpoints[1].Draining = true
	r.route("http", &ir.Rule{Backends: to(key)})
	r.must()
	for range 5 {
		if got := get(t, plain(t), "http://"+addr+"/"); got.body != "live" {
			t.Errorf("got %q, want live", got.body)
		}
	}
	e := *r.unit.Endpoints[0]
	e.Endpoints = e.Endpoints[1:]
	r.unit.Endpoints = []*ir.Endpoints{&e}
	r.must()
	if got := get(t, plain(t), "http://"+addr+"/"); got.body != "draining" {
		t.Errorf("got %q, want draining", got.body)
	}
}
