package gatewayapi_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// FuzzTranslate holds the front end to being total: whatever objects there are,
// a result comes back; and to be a function: neither the order in which objects
// came nor a second translation changes it.
func FuzzTranslate(f *testing.F) {
	for _, name := range seedFiles(f) {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, uint64(0))
		f.Add(text, uint64(len(text)))
	}
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		events := decode(text)
		if len(events) == 0 || len(events) > 50 {
			return
		}
		random := rand.New(rand.NewPCG(seed, 1))
		if seed != 0 {
			for i := range events {
				mutate(random, events[i].Object)
				events[i].Key = keyOf(events[i].Object)
			}
		}
		check(t, random, events)
	})
}

func seedFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no seeds in testdata: ", err)
	}
	return files
}

// result is all that a translation says.
type result struct {
	Proxies   []*ir.Proxy
	Endpoints [][]*ir.Endpoints
	Reports   [][]*findings.Report
	Classes   []*findings.Report
}

func translate(tr *gatewayapi.Translator) result {
	var r result
	for _, owner := range tr.Units() {
		out := tr.Translate(owner)
		r.Proxies = append(r.Proxies, out.Proxy)
		r.Endpoints = append(r.Endpoints, tr.Endpoints(owner))
		r.Reports = append(r.Reports, out.Reports)
	}
	r.Classes = tr.Classes()
	return r
}

func check(t *testing.T, random *rand.Rand, events []resources.Event) {
	t.Helper()
	events = lastOfEach(events)
	set := resources.NewSet(gatewayapi.Indexes()...)
	tr := newTranslator(set)
	tr.Touched(set.Apply(events))
	whole := translate(tr)
	for _, reports := range whole.Reports {
		for _, report := range reports {
			unbroken(t, report)
		}
	}
	for _, proxy := range whole.Proxies {
		sound(t, proxy)
	}
	if diff := cmp.Diff(whole, translate(tr)); diff != "" {
		t.Errorf("a second translation differs:\n%s", diff)
	}
	for what, later := range oneByOne(random, events) {
		if diff := cmp.Diff(whole, later); diff != "" {
			t.Errorf("%s gives another result:\n%s", what, diff)
		}
	}
}

// lastOfEach keeps one object of each key, as an API server would have it.
func lastOfEach(events []resources.Event) []resources.Event {
	byKey := map[resources.Key]resources.Event{}
	for _, e := range events {
		byKey[e.Key] = e
	}
	var kept []resources.Event
	for _, e := range byKey {
		kept = append(kept, e)
	}
	slices.SortFunc(kept, func(a, b resources.Event) int { return a.Key.Compare(b.Key) })
	return kept
}

// unbroken fails where a panic was caught: it is contained, and still a mistake.
func unbroken(t *testing.T, report *findings.Report) {
	t.Helper()
	for i := range report.Subjects {
		subject := &report.Subjects[i]
		findings.Derive(subject, report.Generation)
		for _, f := range subject.Findings {
			if f.Code == findings.RouteBroken || f.Code == findings.GatewayBroken || f.Code == findings.PolicyBroken {
				t.Errorf("%v: %s", report.Object, f.Message)
			}
		}
	}
}

// oneByOne applies objects in another order, with a translation between any two,
// and then takes a few away, each in turn, and brings it back.
func oneByOne(random *rand.Rand, events []resources.Event) map[string]result {
	events = slices.Clone(events)
	random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	set := resources.NewSet(gatewayapi.Indexes()...)
	tr := newTranslator(set)
	apply := func(e resources.Event) {
		touched := tr.Touched(set.Apply([]resources.Event{e}))
		for _, owner := range touched.Units {
			tr.Translate(owner)
			tr.Endpoints(owner)
		}
		for _, owner := range touched.Endpoints {
			tr.Endpoints(owner)
		}
	}
	for _, e := range events {
		apply(e)
	}
	results := map[string]result{"coming one by one, in another order,": translate(tr)}
	for _, e := range events[:min(3, len(events))] {
		apply(resources.Event{Key: e.Key})
		apply(e)
		results[e.Key.String()+", which goes and comes back,"] = translate(tr)
	}
	return results
}

// mutate changes a few fields of an object, at any depth: to nothing, to
// something absurd, or to another field's value.
func mutate(random *rand.Rand, obj resources.Object) {
	var fields []reflect.Value
	collect(reflect.ValueOf(obj).Elem(), &fields, 0)
	for range 1 + random.IntN(4) {
		if len(fields) == 0 {
			return
		}
		absurd(random, fields[random.IntN(len(fields))])
	}
}

func collect(v reflect.Value, fields *[]reflect.Value, depth int) {
	if depth > 12 || !v.CanSet() {
		return
	}
	if v.Type().String() != "v1.Time" {
		*fields = append(*fields, v)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			collect(v.Elem(), fields, depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			collect(v.Field(i), fields, depth+1)
		}
	case reflect.Slice:
		for i := range v.Len() {
			collect(v.Index(i), fields, depth+1)
		}
	}
}

// words are what text fields are set to.
var words = []string{
	"", "/", "//", "*", "*.", "*.example.com", "\n", "a\"b\\", "127.0.0.1", "Foo", "[", "(?=x)", "/../", "/%2f",
	"99999h", "-1s", "0s", "Selector", "All", "None", "HTTPS", "TLS", "TCP", "UDP", "Passthrough", "RegularExpression",
	"ReplacePrefixMatch", "ExternalName", "ClusterIP", "kubernetes.io/h2c", "Service", "Gateway", "infra", "\xff\xfe",
}

func absurd(random *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(words[random.IntN(len(words))])
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int32, reflect.Int64:
		numbers := []int64{0, -1, 1, 80, 65535, 65536, 1 << 30, -1 << 31}
		v.SetInt(numbers[random.IntN(len(numbers))])
	case reflect.Uint16:
		v.SetUint(uint64(random.IntN(1 << 16)))
	case reflect.Pointer:
		if v.IsNil() && random.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			return
		}
		v.SetZero()
	case reflect.Slice:
		absurdSlice(random, v)
	case reflect.Map, reflect.Struct:
		v.SetZero()
	}
}

func absurdSlice(random *rand.Rand, v reflect.Value) {
	switch n := v.Len(); random.IntN(4) {
	case 0:
		v.SetZero()
	case 1:
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
	case 2:
		if n > 0 {
			v.Set(reflect.Append(v, v.Index(random.IntN(n))))
		}
	case 3:
		if n > 0 {
			v.Set(v.Slice(0, n-1))
		}
	}
}

// The seeds, many times over, with other changes each time.
func TestTranslateIsTotal(t *testing.T) {
	for _, name := range seedFiles(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(decode(text)) != bytes.Count(text, []byte("\n---"))+1 {
			t.Errorf("%s: not every document could be read", name)
		}
		for seed := range uint64(60) {
			random := rand.New(rand.NewPCG(seed, 2))
			events := decode(text)
			for i := range events {
				if seed > 0 && random.IntN(3) == 0 {
					mutate(random, events[i].Object)
					events[i].Key = keyOf(events[i].Object)
				}
			}
			check(t, random, events)
			if t.Failed() {
				t.Fatalf("%s, seed %d", name, seed)
			}
		}
	}
}
