package haproxy

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// failing fails its first requests, and counts all.
type failing struct {
	failures int32
	how      string
	asked    atomic.Int32
	bodies   chan string
}

func (f *failing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.bodies <- string(body)
	n := f.asked.Add(1)
	switch {
	case n > f.failures:
		w.WriteHeader(http.StatusOK)
	case f.how == "hang":
		<-r.Context().Done()
	case f.how == "close":
		panic(http.ErrAbortHandler)
	case f.how == "503":
		w.WriteHeader(http.StatusServiceUnavailable)
	case f.how == "502":
		w.WriteHeader(http.StatusBadGateway)
	}
}

func TestTriesAreAsManyAsARuleAsksFor(t *testing.T) {
	const short, ample = ir.Duration(200 * time.Millisecond), ir.Duration(time.Minute)
	twice := &ir.Retry{Attempts: 2, Codes: []int{503}}
	for name, c := range map[string]struct {
		rule     ir.Rule
		failures int32
		how      string
		method   string
		status   int
		tries    int32
	}{
		"a status":                 {ir.Rule{Retry: twice}, 2, "503", "POST", 200, 3},
		"a status and waits":       {ir.Rule{Retry: &ir.Retry{Attempts: 2, Codes: []int{500, 503}, Backoff: short}}, 2, "503", "POST", 200, 3},
		"a status too often":       {ir.Rule{Retry: twice}, 9, "503", "POST", 503, 3},
		"a status not asked for":   {ir.Rule{Retry: twice}, 9, "502", "POST", 502, 1},
		"a close":                  {ir.Rule{Retry: twice}, 2, "close", "POST", 200, 3},
		"a close too often":        {ir.Rule{Retry: twice}, 9, "close", "POST", 502, 3},
		"a hang":                   {ir.Rule{Retry: twice, Timeouts: ir.RuleTimeouts{BackendRequest: short}}, 1, "hang", "POST", 200, 2},
		"a hang without a retry":   {ir.Rule{Timeouts: ir.RuleTimeouts{BackendRequest: short}}, 1, "hang", "GET", 504, 1},
		"a hang of the whole":      {ir.Rule{Retry: twice, Timeouts: ir.RuleTimeouts{Request: short}}, 9, "hang", "GET", 504, 1},
		"hangs of the whole":       {ir.Rule{Retry: &ir.Retry{Attempts: 50}, Timeouts: ir.RuleTimeouts{Request: 3 * short, BackendRequest: short}}, 9, "hang", "GET", 504, 3},
		"a try beyond the whole":   {ir.Rule{Retry: twice, Timeouts: ir.RuleTimeouts{Request: short, BackendRequest: ample}}, 9, "hang", "GET", 504, 1},
		"no retry of a status":     {ir.Rule{}, 1, "503", "GET", 503, 1},
		"no retry of a POST":       {ir.Rule{}, 1, "close", "POST", 502, 1},
		"a GET whose backend left": {ir.Rule{}, 1, "close", "GET", 200, 2},
		"an ample time":            {ir.Rule{Timeouts: ir.RuleTimeouts{Request: ample}}, 0, "", "POST", 200, 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := &failing{failures: c.failures, how: c.how, bodies: make(chan string, 100)}
			two := keyOf("two")
			c.rule.Backends = []ir.BackendUse{{Backend: &two, Weight: 1}}
			config := ruled(t, map[string]*ir.Rule{"/": &c.rule}, service{"two", []http.HandlerFunc{f.ServeHTTP}})
			body := ""
			if c.method == http.MethodPost {
				body = "again"
			}
			r, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+served(t, config)+"/", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			answer, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if c.rule.Retry != nil {
				// HAProxy's clock ticks in milliseconds.
				if least := time.Duration(c.rule.Retry.Backoff) * time.Duration(c.tries-1) * 9 / 10; time.Since(began) < least {
					t.Errorf("%d tries took %v, want at least %v", c.tries, time.Since(began), least)
				}
			}
			if answer.StatusCode != c.status || f.asked.Load() != c.tries {
				t.Errorf("status %d after %d tries, want %d after %d\n%s", answer.StatusCode, f.asked.Load(), c.status, c.tries, config.Text())
			}
			for range f.asked.Load() {
				if got := <-f.bodies; got != body {
					t.Errorf("a try had the body %q, want %q", got, body)
				}
			}
		})
	}
}

func TestWhatCannotBeRetriedIsRefused(t *testing.T) {
	c := ruled(t, map[string]*ir.Rule{"/": {Retry: &ir.Retry{Attempts: 1, Codes: []int{503, 418}}, Backends: []ir.BackendUse{{}}}})
	if len(c.Problems) != 1 || !strings.Contains(c.Problems[0].Message, "retry.codes: HAProxy cannot retry status 418") {
		t.Fatalf("Problems are %v; want one, of status 418", c.Problems)
	}
	if got := ask(t, http.MethodGet, "http://"+served(t, c)+"/"); got.StatusCode != 500 {
		t.Errorf("status %d, want 500", got.StatusCode)
	}
}

func TestARuleAtSeveralPortsIsRefusedOnce(t *testing.T) {
	unit := ruled(t, map[string]*ir.Rule{"/": {Retry: &ir.Retry{Codes: []int{418}}, Backends: []ir.BackendUse{{}}}}).unit
	second := ir.ListenerKey{Section: "second"}
	unit.Proxy.Listeners = append(unit.Proxy.Listeners, &ir.Listener{Key: second, Port: 81, Protocol: ir.HTTP, Hostname: "*"})
	route := unit.Proxy.Routes[0]
	route.Attachments = append(route.Attachments, ir.Attachment{Listener: second, Hostnames: []string{"*"}})
	if got := Translate(unit, Target{}, nil).Problems; len(got) != 1 {
		t.Errorf("Problems are %v; want one", got)
	}
}

// TestLargeBodiesAreNotHeldUp sends more than HAProxy keeps, by rules that have it wait
// for bodies.
func TestLargeBodiesAreNotHeldUp(t *testing.T) {
	f := &failing{bodies: make(chan string, 100)}
	two := keyOf("two")
	at := "http://" + served(t, ruled(t, map[string]*ir.Rule{
		"/": {
			Retry: &ir.Retry{Attempts: 2}, Timeouts: ir.RuleTimeouts{Request: ir.Duration(time.Minute), BackendRequest: ir.Duration(10 * time.Second)},
			Backends: []ir.BackendUse{{Backend: &two, Weight: 1}},
		},
	}, service{"two", []http.HandlerFunc{f.ServeHTTP}}))
	body := strings.Repeat("0123456789abcdef", 1<<16)
	for _, length := range []int64{int64(len(body)), -1} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at, io.NopCloser(strings.NewReader(body)))
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = length
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("a body of the length %d: status %d, want 200", length, answer.StatusCode)
		}
		if got := <-f.bodies; got != body {
			t.Errorf("a body of the length %d: %d octets came, want %d", length, len(got), len(body))
		}
	}
}
