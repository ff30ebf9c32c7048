package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/delivery/server"
	"github.com/sluice-gateway/sluice/dataplanes/provision"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/engine"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
)

var web = ir.Object{Kind: "Gateway", Namespace: "shop", Name: "web"}

// stage is a cluster as a test tells it.
type stage struct {
	mu      sync.Mutex
	now     time.Time
	state   *provision.State
	ensured int
	sets    []server.Set
	gone    []string
	kept    []ir.Object
}

func (s *stage) Ensure(provision.Input) { s.mu.Lock(); defer s.mu.Unlock(); s.ensured++ }
func (s *stage) Sweep(keep []ir.Object) { s.kept = keep }

func (s *stage) State(ir.Object) (provision.State, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == nil {
		return provision.State{}, false
	}
	return *s.state, true
}

func (s *stage) Set(set server.Set) { s.mu.Lock(); defer s.mu.Unlock(); s.sets = append(s.sets, set) }
func (s *stage) Remove(ir.Object)   { s.mu.Lock(); defer s.mu.Unlock(); s.gone = append(s.gone, "web") }

func (s *stage) ready(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = &provision.State{Addresses: []dataplanes.Address{{Value: "192.0.2.1"}}}
	for _, name := range names {
		s.state.Ready = append(s.state.Ready, provision.Pod{Namespace: "shop", Name: name, UID: types.UID("uid-" + name)})
	}
}

func (s *stage) pass(d time.Duration) { s.mu.Lock(); defer s.mu.Unlock(); s.now = s.now.Add(d) }

func (s *stage) clock() time.Time { s.mu.Lock(); defer s.mu.Unlock(); return s.now }

func newStage(t *testing.T) (*stage, *Fleet) {
	t.Helper()
	s := &stage{now: time.Unix(1000, 0)}
	f := New(Options{SessionKey: func(ir.Object) ir.Secret { return "key" }, Now: s.clock})
	f.Join(s, s)
	f.Lead()
	return s, f
}

var asked = &gatewayapi.Infrastructure{UID: "1"}

func order(version string) engine.Order {
	return engine.Order{
		Assignment:     dataplanes.Assignment{Unit: &ir.Unit{Proxy: &ir.Proxy{Owner: web}}, Version: version},
		Infrastructure: asked,
	}
}

func says(pod, version string, change ...func(*server.Report)) server.Report {
	r := server.Report{Owner: web, Pod: server.Pod{Namespace: "shop", Name: pod, UID: "uid-" + pod}, Connected: true, Version: version}
	for _, c := range change {
		c(&r)
	}
	return r
}

func gone(r *server.Report) { r.Connected = false }

// next is the one outcome that is news; nil where nothing is.
func next(t *testing.T, f *Fleet) *dataplanes.Outcome {
	t.Helper()
	news := f.judgeStale()
	if len(news) == 0 {
		return nil
	}
	if len(news) > 1 {
		t.Fatalf("%d outcomes of one unit", len(news))
	}
	return &news[0]
}

// TestProgrammedIsWhatEveryPodRuns: a version counts once every pod that is ready
// runs it, and who does not is named.
func TestProgrammedIsWhatEveryPodRuns(t *testing.T) {
	s, f := newStage(t)
	s.ready("a", "b")
	f.Apply(order("one"))
	if o := next(t, f); o != nil {
		t.Fatalf("an outcome before the pods have been heard: %+v", o)
	}
	f.Report(says("a", "one"))
	if o := next(t, f); o != nil {
		t.Fatalf("an outcome before pod b has been heard: %+v", o)
	}
	f.Report(says("b", "one"))
	o := next(t, f)
	if o == nil || o.Version != "one" || o.Reach.Lack != nil || o.Reach.Addresses[0].Value != "192.0.2.1" {
		t.Fatalf("%+v", o)
	}
	f.Apply(order("two"))
	f.Report(says("a", "two"))
	o = next(t, f)
	if o == nil || o.Version != "one" || o.Reach.Behind != "pod shop/b runs version one" {
		t.Fatalf("%+v", o)
	}
	f.Report(says("b", "one", gone))
	if o = next(t, f); o == nil || !strings.Contains(o.Reach.Behind, "pod shop/b is not connected to the operator and ran version one") {
		t.Fatalf("%+v", o)
	}
	// A pod that is no longer ready serves nobody, whatever it runs.
	s.ready("a")
	f.Changed(web)
	if o = next(t, f); o == nil || o.Version != "two" || o.Reach.Behind != "" {
		t.Fatalf("%+v", o)
	}
}

// TestSilenceIsNoFailure: a new leader says nothing of pods that it has not heard,
// for as long as they may still speak.
func TestSilenceIsNoFailure(t *testing.T) {
	s, f := newStage(t)
	f.Apply(order("one"))
	if o := next(t, f); o != nil {
		t.Fatalf("an outcome before the objects are known: %+v", o)
	}
	s.ready("a")
	f.Changed(web)
	s.pass(patience - 1)
	f.impatient()
	if o := next(t, f); o != nil {
		t.Fatalf("an outcome while the pod may still speak: %+v", o)
	}
	s.pass(1)
	f.impatient()
	if o := next(t, f); o == nil || o.Version == "one" || o.Reach.Behind != "pod shop/a has not connected to the operator" {
		t.Fatalf("%+v", o)
	}
	f.Report(says("a", "one"))
	if o := next(t, f); o == nil || o.Version != "one" {
		t.Fatalf("%+v", o)
	}
	f.Lead()
	if o := next(t, f); o == nil || o.Version != "one" {
		t.Fatalf("what the pod said already was forgotten: %+v", o)
	}
}

// TestWhoDoesNotLeadSaysNothing: a replica that has been warm for long hears no pod,
// and does not take that for their silence in the moment before it leads.
func TestWhoDoesNotLeadSaysNothing(t *testing.T) {
	s, f := newStage(t)
	f.led = false
	f.Apply(order("one"))
	s.pass(time.Hour)
	s.ready("a")
	f.Changed(web)
	if o := next(t, f); o != nil {
		t.Fatalf("before it leads: %+v", o)
	}
	f.Lead()
	if o := next(t, f); o != nil {
		t.Fatalf("before the pod may have spoken: %+v", o)
	}
	f.Report(says("a", "one"))
	if o := next(t, f); o == nil || o.Version != "one" {
		t.Fatalf("%+v", o)
	}
}

// TestWhatPodsObjectTo: each objection once, and that the unit was refused.
func TestWhatPodsObjectTo(t *testing.T) {
	s, f := newStage(t)
	s.ready("a", "b")
	f.Apply(order("one"))
	problem := ir.Problem{Origin: ir.Origin{Object: web, Section: "http"}, Message: "port 80 is taken"}
	objects := func(r *server.Report) { r.Problems, r.Refused = []ir.Problem{problem}, true }
	f.Report(says("a", "zero", objects))
	f.Report(says("b", "zero", objects))
	o := next(t, f)
	if o == nil || len(o.Problems) != 1 || !o.Reach.Refused || o.Version != "zero" {
		t.Fatalf("%+v", o)
	}
	f.Report(says("a", "", func(r *server.Report) { r.Unable = "its image is too old" }))
	if o = next(t, f); o == nil || o.Reach.Lack == nil || o.Reach.Lack.Message != "pod shop/a cannot run this generation: its image is too old" {
		t.Fatalf("%+v", o)
	}
}

// TestOnlyWhatChangedIsPassedOn: endpoints touch no objects, and an outcome that
// says nothing new is not sent.
func TestOnlyWhatChangedIsPassedOn(t *testing.T) {
	s, f := newStage(t)
	s.ready("a")
	first := order("one")
	f.Apply(first)
	f.Report(says("a", "one"))
	if next(t, f) == nil {
		t.Fatal("no outcome")
	}
	second := first
	second.Unit = &ir.Unit{Proxy: first.Unit.Proxy, Endpoints: []*ir.Endpoints{{}}}
	f.Apply(second)
	if s.ensured != 1 || len(s.sets) != 2 || s.sets[1].SessionKey != "key" {
		t.Errorf("the objects were looked at %d times, %d sets were sent", s.ensured, len(s.sets))
	}
	f.Report(says("a", "one"))
	if o := next(t, f); o != nil {
		t.Errorf("said again: %+v", o)
	}
	f.Remove(web)
	f.Report(says("a", "one"))
	if o := next(t, f); o != nil || len(s.gone) != 2 {
		t.Errorf("an outcome of what has gone: %+v, %v", o, s.gone)
	}
}

func TestOutcomesEndWithTheContext(t *testing.T) {
	s, f := newStage(t)
	s.ready("a")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	f.Apply(order("one"))
	f.Report(says("a", "one"))
	if o := <-f.Outcomes(); o.Version != "one" {
		t.Errorf("%+v", o)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, open := <-f.Outcomes(); open {
		t.Error("the outcomes go on")
	}
}

// TestWhyNoPodIsReady: a pod that cannot take its first set never becomes ready,
// and says why.
func TestWhyNoPodIsReady(t *testing.T) {
	for name, said := range map[string]func(*server.Report){
		"lacks a feature": func(r *server.Report) { r.Unable = "its proxy is too old" },
		"objects":         func(r *server.Report) { r.Refused, r.Problems = true, []ir.Problem{{Message: "its proxy is too old"}} },
	} {
		t.Run(name, func(t *testing.T) {
			s, f := newStage(t)
			s.ready()
			s.state.Lack = &dataplanes.Lack{Reason: "Pending", Message: "No pod is ready yet"}
			f.Report(says("a", ""))
			f.Apply(order("one"))
			f.Report(says("a", "", said))
			o := next(t, f)
			if o == nil || !strings.Contains(o.Reach.Lack.Message, "No pod is ready yet; pod shop/a") || !strings.Contains(o.Reach.Lack.Message, "too old") {
				t.Errorf("what is said is %+v", o)
			}
			if s.state.Lack.Message != "No pod is ready yet" {
				t.Error("what Kubernetes says was changed")
			}
		})
	}
}

// TestEditsDoNotExcuse: a pod that stays where it is shows, however often the unit
// is edited meanwhile; one that only comes a little later does not.
func TestEditsDoNotExcuse(t *testing.T) {
	s, f := newStage(t)
	s.ready("a", "b")
	f.Apply(order("0"))
	f.Report(says("a", "0"))
	f.Report(says("b", "0"))
	next(t, f)
	stuck := func() bool {
		f.impatient()
		f.judgeStale()
		return f.crews[web].told.Reach.Stuck
	}
	for second := range 30 {
		s.pass(time.Second)
		f.Apply(order(fmt.Sprint(second + 1)))
		f.Report(says("a", fmt.Sprint(second)))
		f.Report(says("b", fmt.Sprint(second)))
		if stuck() {
			t.Fatalf("after %d s pods that follow are stuck", second)
		}
	}
	for second := range 12 {
		s.pass(time.Second)
		f.Apply(order(fmt.Sprint(second + 100)))
		f.Report(says("a", fmt.Sprint(second+100)))
		if want := second >= 9; stuck() != want {
			t.Fatalf("after %d s a pod that does not follow is stuck: %v, want %v", second, !want, want)
		}
	}
	f.Report(says("b", "111"))
	if stuck() {
		t.Error("it is stuck when it runs what it is to run")
	}
}

// TestWhatIsAskedOfObjects: the ports of listeners, those that are not served now
// among them.
func TestWhatIsAskedOfObjects(t *testing.T) {
	o := order("one")
	o.Unit.Proxy.Listeners = []*ir.Listener{{Port: 80, Protocol: ir.HTTP}}
	o.Infrastructure = &gatewayapi.Infrastructure{UID: "7", Class: "c", Ports: []gatewayapi.Port{{Number: 80}, {Number: 53, UDP: true}}}
	in := inputOf(&o)
	want := []provision.Port{{Number: 53, Protocol: corev1.ProtocolUDP}, {Number: 80, Protocol: corev1.ProtocolTCP}}
	if in.Owner != web || in.UID != "7" || in.Class != "c" || !slices.Equal(in.Ports, want) {
		t.Errorf("%+v", in)
	}
}

// TestARemarkIsPassedOn: what pods that do not come up say, while others serve.
func TestARemarkIsPassedOn(t *testing.T) {
	s, f := newStage(t)
	s.ready("a")
	s.state.Remark = "pod b cannot be scheduled"
	f.Apply(order("one"))
	f.Report(says("a", "one"))
	if o := next(t, f); o == nil || o.Reach.Remark != "pod b cannot be scheduled" || o.Reach.Lack != nil {
		t.Fatalf("%+v", o)
	}
}
