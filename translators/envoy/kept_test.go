package envoy

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/test/ordertest"
)

// changeOne is a unit with another rule in one of its routes.
func changeOne(unit *ir.Unit, at int, oneHost bool) *ir.Unit {
	proxy := *unit.Proxy
	proxy.Routes = slices.Clone(proxy.Routes)
	route := oneOfMany(at, oneHost, proxy.Listeners[0])
	route.Rules[0].Timeouts.Request = ir.Duration(time.Duration(at) * time.Second)
	proxy.Routes[at] = route
	return &ir.Unit{Proxy: &proxy, Endpoints: unit.Endpoints}
}

// TestOneChangeIsCheap counts allocations: what has not changed is taken over.
func TestOneChangeIsCheap(t *testing.T) {
	for name, oneHost := range shapes {
		t.Run(name, func(t *testing.T) {
			unit := manyRoutes(oneHost)
			first := Translate(unit, Target{}, nil)
			full := testing.AllocsPerRun(1, func() { Translate(unit, Target{}, nil) })
			changed := changeOne(unit, 4321, oneHost)
			one := testing.AllocsPerRun(3, func() { Translate(changed, Target{}, first) })
			if one > full/20 {
				t.Errorf("%.0f allocations for one changed route, %.0f for all: more than a twentieth", one, full)
			}
		})
	}
}

// shapes of many routes.
var shapes = map[string]bool{"hosts": false, "one-host": true}

// TestNothingChangedIsTheSame shows that equal resources are the same pointers.
func TestNothingChangedIsTheSame(t *testing.T) {
	unit := manyRoutes(false)
	first := Translate(unit, Target{}, nil)
	second := Translate(&ir.Unit{Proxy: unit.Proxy, Endpoints: unit.Endpoints}, Target{}, first)
	for i, kind := range second.kinds() {
		for j, r := range kind {
			if was := first.kinds()[i][j]; r != was {
				t.Errorf("%s was made anew", r.Name)
			}
		}
	}
}

// TestKeptIsAsMadeAnew shows that whatever is taken over says what a translation
// from nothing says, through random edits, and that order says nothing.
func TestKeptIsAsMadeAnew(t *testing.T) {
	rapid.Check(t, keptIsAsMadeAnew)
	shareSooner(t)
	rapid.Check(t, keptIsAsMadeAnew)
}

func keptIsAsMadeAnew(t *rapid.T) {
	var last *Config
	unit := ordertest.Unit(t)
	for range 4 {
		last = Translate(unit, Target{}, last)
		sameBytes(t, last, Translate(unit, Target{}, nil))
		unit = ordertest.Edit(t, unit)
	}
}

// shareSooner has all hostnames that cover each other share virtual hosts.
func shareSooner(t *testing.T) {
	t.Helper()
	was := mostRepeated
	t.Cleanup(func() { mostRepeated = was })
	mostRepeated = -1 << 30
}

func sameBytes(t *rapid.T, a, b *Config) {
	for i, kind := range a.kinds() {
		other := b.kinds()[i]
		if len(kind) != len(other) {
			t.Fatalf("%d and %d resources of a kind", len(kind), len(other))
		}
		for j, r := range kind {
			if r.Name != other[j].Name || !bytes.Equal(wire(t, r.Message), wire(t, other[j].Message)) {
				t.Fatalf("%s is not as it is made anew", r.Name)
			}
		}
	}
}

func wire(t *rapid.T, m proto.Message) []byte {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// BenchmarkTranslate makes 5,000 routes from nothing, and with one changed.
func BenchmarkTranslate(b *testing.B) {
	for name, oneHost := range shapes {
		unit := manyRoutes(oneHost)
		b.Run(name+"/all", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Translate(unit, Target{}, nil)
			}
		})
		b.Run(name+"/one", func(b *testing.B) {
			b.ReportAllocs()
			last := Translate(unit, Target{}, nil)
			for b.Loop() {
				last = Translate(changeOne(unit, rand.IntN(many), oneHost), Target{}, last) //nolint:gosec // Which one is all the same.
			}
		})
	}
}
