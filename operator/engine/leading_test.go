package engine_test

import (
	"strings"
	"testing"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/engine"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// pods are a fleet whose pods say what a test has them say.
type pods struct {
	applied  chan engine.Order
	removed  chan ir.Object
	led      chan struct{}
	outcomes chan dataplanes.Outcome
	kept     chan []ir.Object
}

var _ engine.Fleet = (*pods)(nil)

func newPods() *pods {
	return &pods{
		applied: make(chan engine.Order, 100), removed: make(chan ir.Object, 100),
		led: make(chan struct{}), outcomes: make(chan dataplanes.Outcome), kept: make(chan []ir.Object, 1),
	}
}

func (p *pods) Apply(o engine.Order)                { p.applied <- o }
func (p *pods) Remove(owner ir.Object)              { p.removed <- owner }
func (p *pods) Outcomes() <-chan dataplanes.Outcome { return p.outcomes }
func (p *pods) Complete(owners []ir.Object)         { p.kept <- owners }
func (p *pods) Lead()                               { close(p.led) }

// start runs an engine over the pods, which end before it.
func (p *pods) start(t *testing.T, files map[string]string, change func(*engine.Options)) *rig {
	t.Helper()
	r := start(t, files, func(o *engine.Options) {
		o.Dataplanes, o.Fleet, o.Unclaimed = nil, p, nil
		o.FrontEnds = func(set *resources.Set) []engine.FrontEnd {
			return []engine.FrontEnd{gatewayapi.New(set, gatewayapi.Options{
				Controllers:   map[gatewayv1.GatewayController]feature.Set{controller: goproxy.Dataplane{}.Features()},
				KeepClassless: true,
			})}
		}
		if change != nil {
			change(o)
		}
	})
	t.Cleanup(func() { close(p.outcomes) })
	return r
}

// say has the pods run a version: all of them, or some an older one.
func (p *pods) say(o engine.Order, version string) {
	p.outcomes <- dataplanes.Outcome{Owner: o.Unit.Proxy.Owner, Version: version, Reach: &dataplanes.Reach{
		Addresses: []dataplanes.Address{{Value: "192.0.2.1"}}, Behind: "pod default/b runs nothing yet",
	}}
}

// addresses are those of the only Gateway.
func addresses(s engine.Snapshot) []gatewayv1.GatewayStatusAddress {
	for _, u := range s.Units {
		for _, report := range u.Reports() {
			if report.Object.Kind == "Gateway" {
				return report.Addresses
			}
		}
	}
	return nil
}

// Who does not lead hears nothing of pods, and says nothing of them: its word is
// there already when it comes to lead.
func TestWhoDoesNotLeadJudgesNobody(t *testing.T) {
	p, clock, leading := newPods(), &hands{now: time.Unix(1000, 0)}, make(chan struct{})
	r := p.start(t, map[string]string{"class.yaml": class, "gateway.yaml": gateway("demo", 80)}, func(o *engine.Options) {
		o.Clock, o.Leading = clock.clock(), leading
	})
	first := <-p.applied
	clock.turn(time.Hour)
	r.write("gateway.yaml", gateway("demo", 81))
	second := <-p.applied
	clock.turn(time.Hour)
	r.write("other.yaml", gateway("other", 80))
	r.until("a snapshot of two", func(s engine.Snapshot) bool { return len(s.Units) == 2 })
	if u := r.last.Units[0]; !u.Unknown() || u.Version != second.Version || first.Version == second.Version {
		t.Errorf("it is said of pods that nobody could hear: %s", r.conditions())
	}
	close(leading)
	<-p.led
	p.say(second, second.Version)
	r.untilCondition("Gateway default/demo  Programmed=True")
	clock.turn(10 * time.Second)
	r.untilCondition("Gateway default/other  Programmed=False Pending: The proxy has not answered within 10s")
}

// A pod that falls behind the others has its time to come up to them.
func TestAPodThatLagsHasItsTime(t *testing.T) {
	p, clock := newPods(), &hands{now: time.Unix(1000, 0)}
	r := p.start(t, map[string]string{"class.yaml": class, "gateway.yaml": gateway("demo", 80)}, func(o *engine.Options) {
		o.Clock = clock.clock()
	})
	order := <-p.applied
	p.say(order, order.Version)
	r.untilCondition("Gateway default/demo  Programmed=True")
	clock.turn(time.Hour)
	p.say(order, "")
	r.until("the pod lags", func(s engine.Snapshot) bool { return s.Units[0].Outcome.Version == "" })
	if !strings.Contains(r.conditions(), "Gateway default/demo  Programmed=True") {
		t.Errorf("no time was given: %s", r.conditions())
	}
	clock.turn(10 * time.Second)
	r.untilCondition("does not run everywhere: pod default/b runs nothing yet")
	p.say(order, order.Version)
	r.untilCondition("Gateway default/demo  Programmed=True")
}

// A Gateway that is refused as a whole keeps its pods, and DNS that leads to them.
func TestARefusedGatewayKeepsItsAddresses(t *testing.T) {
	p := newPods()
	with := strings.Replace(class, "sluice.dev/go}", "sluice.dev/go, parametersRef: {group: sluice.dev, kind: GatewayParameters, name: none, namespace: default}}", 1)
	r := p.start(t, map[string]string{"class.yaml": class, "gateway.yaml": gateway("demo", 80)}, nil)
	order := <-p.applied
	p.say(order, order.Version)
	r.untilCondition("Gateway default/demo  Programmed=True")
	r.write("class.yaml", with)
	r.untilCondition("Gateway default/demo  Programmed=False Invalid")
	if a := addresses(r.last); len(a) != 1 || a[0].Value != "192.0.2.1" {
		t.Errorf("its addresses are %v", a)
	}

	// Of one that was refused before anybody looked, nothing is known.
	r = newPods().start(t, map[string]string{"class.yaml": with, "gateway.yaml": gateway("demo", 80)}, nil)
	r.untilCondition("Gateway default/demo  Programmed=False Invalid")
	if !r.last.Units[0].Unknown() {
		t.Error("its addresses are taken to be none")
	}
}

// What was refused from the start may run since before, and goes when it is not
// ours any more.
func TestWhatWasRefusedFromTheStartGoes(t *testing.T) {
	p := newPods()
	with := strings.Replace(class, "sluice.dev/go}", "sluice.dev/go, parametersRef: {group: sluice.dev, kind: GatewayParameters, name: none, namespace: default}}", 1)
	r := p.start(t, map[string]string{"class.yaml": with, "gateway.yaml": gateway("demo", 80)}, nil)
	r.untilCondition("Gateway default/demo  Programmed=False Invalid")
	r.write("class.yaml", strings.Replace(class, "sluice.dev/go", "example.com/other", 1))
	select {
	case owner := <-p.removed:
		if owner.Name != "demo" {
			t.Errorf("%v was removed", owner)
		}
	case <-time.After(patience):
		t.Error("its pods stay for ever")
	}
}

// A class that is deleted and made anew, as tools do to replace one, takes nothing
// from its Gateways meanwhile; one that comes back as another controller's does.
func TestAClassThatGoes(t *testing.T) {
	p := newPods()
	told := make(chan ir.Object, 10)
	r := p.start(t, map[string]string{"class.yaml": class, "gateway.yaml": gateway("demo", 80)}, func(o *engine.Options) {
		o.Classless = func(owner ir.Object) { told <- owner }
	})
	order := <-p.applied
	p.say(order, order.Version)
	r.untilCondition("Gateway default/demo  Programmed=True")
	r.write("class.yaml", "")
	<-told
	translations := r.engine.Counters.Translations.Load()
	r.write("gateway.yaml", gateway("demo", 82))
	r.untilSilently("an edit without a class", func() bool { return r.engine.Counters.Translations.Load() > translations })
	if len(told) > 0 {
		t.Error("told again")
	}
	r.write("class.yaml", class)
	r.write("gateway.yaml", gateway("demo", 81))
	next := <-p.applied
	if len(p.removed) > 0 || next.Version == order.Version {
		t.Errorf("%d units were removed", len(p.removed))
	}
	r.write("class.yaml", strings.Replace(class, "sluice.dev/go", "example.com/other", 1))
	if owner := <-p.removed; owner != order.Unit.Proxy.Owner {
		t.Errorf("%v was removed", owner)
	}
}

// What ran for a Gateway before the operator did is kept while its class is away.
func TestAClassThatIsNotThereAtTheStart(t *testing.T) {
	p := newPods()
	p.start(t, map[string]string{"gateway.yaml": gateway("demo", 80)}, nil)
	if kept := <-p.kept; len(kept) != 1 || kept[0].Name != "demo" {
		t.Errorf("kept: %v", kept)
	}
}
