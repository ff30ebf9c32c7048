package engine_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/engine"
)

// held is a dataplane that serves nothing and answers when a test says so.
type held struct {
	goproxy.Dataplane
	applied  chan dataplanes.Assignment
	outcomes chan dataplanes.Outcome
}

var (
	_ dataplanes.Dataplane = (*held)(nil)
	_ dataplanes.Local     = (*held)(nil)
)

func newHeld() *held {
	return &held{applied: make(chan dataplanes.Assignment, 100), outcomes: make(chan dataplanes.Outcome)}
}

func (h *held) Start(ctx context.Context, _ dataplanes.Options) (dataplanes.Local, error) {
	go func() { <-ctx.Done(); close(h.outcomes) }()
	return h, nil
}

func (h *held) Apply(a dataplanes.Assignment)       { h.applied <- a }
func (h *held) Remove(ir.Object)                    {}
func (h *held) Outcomes() <-chan dataplanes.Outcome { return h.outcomes }

// hands is a clock that a test turns.
type hands struct {
	mu    sync.Mutex
	now   time.Time
	waits []alarm
}

type alarm struct {
	at   time.Time
	ring chan time.Time
}

func (h *hands) clock() engine.Clock {
	return engine.Clock{
		Now: func() time.Time {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.now
		},
		At: func(t time.Time) <-chan time.Time {
			h.mu.Lock()
			defer h.mu.Unlock()
			a := alarm{at: t, ring: make(chan time.Time, 1)}
			h.waits = append(h.waits, a)
			h.ring()
			return a.ring
		},
	}
}

func (h *hands) turn(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
	h.ring()
}

func (h *hands) ring() {
	waiting := h.waits[:0]
	for _, a := range h.waits {
		if a.at.After(h.now) {
			waiting = append(waiting, a)
		} else {
			a.ring <- h.now
		}
	}
	h.waits = waiting
}

// TestProgrammedDoesNotFlap: an edit leaves Programmed as it was until the proxy
// has answered, or has had 10 s to.
func TestProgrammedDoesNotFlap(t *testing.T) {
	plane, clock := newHeld(), &hands{now: time.Unix(1000, 0)}
	r := start(t, map[string]string{"class.yaml": class, "gateway.yaml": gateway("demo", 80)}, func(o *engine.Options) {
		o.Dataplanes = map[gatewayv1.GatewayController]dataplanes.Dataplane{controller: plane}
		o.Clock = clock.clock()
	})
	const good = "Gateway default/demo  Programmed=True Programmed"
	port := 80
	edit := func() dataplanes.Assignment {
		port++
		r.write("gateway.yaml", gateway("demo", port))
		a := <-plane.applied
		r.until("the edit is sent", func(s engine.Snapshot) bool { return len(s.Units) == 1 && s.Units[0].Version == a.Version })
		return a
	}
	answer := func(a dataplanes.Assignment, problems ...ir.Problem) {
		plane.outcomes <- dataplanes.Outcome{Owner: a.Unit.Proxy.Owner, Version: a.Version, Problems: problems}
	}
	first := <-plane.applied
	r.untilCondition("Gateway default/demo  Programmed=False Pending: The proxy has not answered yet")
	clock.turn(10 * time.Second)
	r.untilCondition("Programmed=False Pending: The proxy has not answered within 10s of being given version " + first.Version[:12])
	answer(first)
	r.untilCondition(good)

	second := edit()
	if !strings.Contains(r.conditions(), good) {
		t.Errorf("an edit turned Programmed: %s", r.conditions())
	}
	clock.turn(10*time.Second - 1)
	third := edit()
	if !strings.Contains(r.conditions(), good) {
		t.Errorf("10 s had not gone by: %s", r.conditions())
	}
	answer(second)
	clock.turn(10 * time.Second)
	r.untilCondition("Programmed=False Pending: The proxy does not run version " + third.Version[:12] + ", which it was given more than 10s ago: it still runs version " + second.Version[:12])
	answer(third)
	r.untilCondition(good)

	fourth := edit()
	answer(third, ir.Problem{Origin: ir.Origin{Object: third.Unit.Proxy.Owner}, Message: "no"})
	r.untilCondition("Gateway default/demo  Programmed=False Invalid: The proxy refused this generation and runs the last good one")
	fifth := edit()
	if !strings.Contains(r.conditions(), "Programmed=False Invalid") {
		t.Errorf("Programmed did not stay as it was: %s", r.conditions())
	}
	answer(fifth)
	r.untilCondition(good)
	if fourth.Version == fifth.Version {
		t.Error("two edits have one version")
	}
}

// TestALateAnswerIsNoRefusal: objections that come after an edit may answer the
// assignment before it.
func TestALateAnswerIsNoRefusal(t *testing.T) {
	plane := newHeld()
	r := start(t, map[string]string{"class.yaml": class, "gateway.yaml": gateway("demo", 80)}, func(o *engine.Options) {
		o.Dataplanes = map[gatewayv1.GatewayController]dataplanes.Dataplane{controller: plane}
	})
	first := <-plane.applied
	r.write("gateway.yaml", gateway("demo", 81))
	second := <-plane.applied
	owner := first.Unit.Proxy.Owner
	plane.outcomes <- dataplanes.Outcome{Owner: owner, Version: first.Version, Problems: []ir.Problem{
		{Origin: ir.Origin{Object: owner, Section: "http"}, Message: "port 80 is taken"},
	}}
	r.untilCondition("Gateway default/demo http Programmed=False Invalid: port 80 is taken")
	if !strings.Contains(r.conditions(), "Gateway default/demo  Programmed=True") {
		t.Errorf("taken for a refusal of the edit: %s", r.conditions())
	}
	plane.outcomes <- dataplanes.Outcome{Owner: owner, Version: second.Version}
	r.untilCondition("Gateway default/demo http Programmed=True")
}

// TestAProxyThatServesNothing is one whose program has ended: that the version was in
// force before is no comfort.
func TestAProxyThatServesNothing(t *testing.T) {
	plane := newHeld()
	r := start(t, map[string]string{"class.yaml": class, "gateway.yaml": gateway("demo", 80)}, func(o *engine.Options) {
		o.Dataplanes = map[gatewayv1.GatewayController]dataplanes.Dataplane{controller: plane}
	})
	a := <-plane.applied
	out := dataplanes.Outcome{Owner: a.Unit.Proxy.Owner, Version: a.Version}
	plane.outcomes <- out
	r.untilCondition("Gateway default/demo  Programmed=True")
	down := out
	down.Down, down.Problems = true, []ir.Problem{{Origin: ir.Origin{Object: out.Owner, Section: "http"}, Message: "it has ended"}}
	plane.outcomes <- down
	r.untilCondition("Gateway default/demo  Programmed=False Pending: The proxy serves nothing now; the listeners' conditions say why")
	r.untilCondition("Gateway default/demo http Programmed=False Invalid: it has ended")
	plane.outcomes <- out
	r.untilCondition("Gateway default/demo  Programmed=True")
}
