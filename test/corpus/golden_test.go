package corpus

import (
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/resources"
)

var update = flag.Bool("update", false, "write the golden files")

// rendered are the dataplanes whose rendering is kept. A new one is a line here.
var rendered = []struct {
	file string
	by   func(*ir.Unit) (any, error)
}{
	{"goproxy.yaml", goproxy.Dataplane{}.Render},
	{"envoy.yaml", func(u *ir.Unit) (any, error) { return forEnvoy(u), nil }},
	{"haproxy.yaml", func(u *ir.Unit) (any, error) { return forHAProxy(u), nil }},
}

func TestCorpus(t *testing.T) {
	for _, g := range corpus(t) {
		t.Run(g.path, func(t *testing.T) {
			t.Parallel()
			w := newWorld(g.features(t))
			w.apply(g.objects...)
			for name, text := range g.render(t, w) {
				g.compare(t, name, text)
			}
			g.checkTags(t, w)
			g.disorder(t, g.result(t, w))
		})
	}
}

// render writes what became of a case's objects, a text for each golden file.
func (g *golden) render(t *testing.T, w *world) map[string]string {
	t.Helper()
	units := w.units()
	files := map[string]string{"ir.yaml": toYAML(t, units), "status.yaml": toYAML(t, g.statuses(t, w))}
	for _, d := range rendered {
		var configs []any
		for _, u := range units {
			r, err := d.by(u)
			if err != nil {
				t.Fatalf("%s: %v", d.file, err)
			}
			configs = append(configs, r)
		}
		files[d.file] = toYAML(t, configs)
	}
	return files
}

func toYAML(t *testing.T, value any) string {
	t.Helper()
	out, err := yaml.JSONToYAML(toJSON(t, value))
	if err != nil {
		t.Fatal(err)
	}
	if s := string(out); s != "null\n" {
		return s
	}
	return "[]\n"
}

func toJSON(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (g *golden) compare(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(filepath.FromSlash(g.path), name)
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // Golden files are as readable as the code.
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s is missing: run make golden, and read what it writes", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s (-want +got; make golden writes it, once you know that it is right):\n%s", path, diff)
	}
}

// disorder translates a case in other orders and in pieces: however it came
// about, one state of the objects has one result.
func (g *golden) disorder(t *testing.T, want result) {
	t.Helper()
	for seed := range uint64(3) {
		random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // A seed that can be given again is the point.
		objects := slices.Clone(g.objects)
		random.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })

		w := newWorld(g.features(t))
		w.apply(objects...)
		g.same(t, "in another order", want, w)

		w = newWorld(g.features(t))
		for _, e := range objects {
			w.apply(blank(e))
		}
		for _, e := range objects {
			w.apply(e)
		}
		g.same(t, "one at a time, each empty at first", want, w)
		g.comeAndGo(t, w, random, objects)
		g.same(t, "after some went and came back", want, w)
	}
}

// blank is an object of which there is no more than the name yet.
func blank(e resources.Event) resources.Event {
	empty := reflect.New(reflect.TypeOf(e.Object).Elem()).Interface().(resources.Object)
	empty.SetName(e.Object.GetName())
	empty.SetNamespace(e.Object.GetNamespace())
	return resources.Event{Key: e.Key, Object: empty}
}

// comeAndGo takes every object away and puts it back, some of them while others
// are away.
func (g *golden) comeAndGo(t *testing.T, w *world, random *rand.Rand, objects []resources.Event) {
	t.Helper()
	var away []resources.Event
	for _, e := range objects {
		w.remove(e)
		away = append(away, e)
		for len(away) > random.IntN(3) {
			i := random.IntN(len(away))
			w.apply(away[i])
			away = slices.Delete(away, i, i+1)
		}
	}
	for _, e := range away {
		w.apply(e)
	}
}

// result is what every order of events must lead to. What dataplanes read is a
// pure function of it.
type result struct{ units, statuses string }

func (g *golden) result(t *testing.T, w *world) result {
	t.Helper()
	return result{string(toJSON(t, w.units())), string(toJSON(t, g.statuses(t, w)))}
}

func (g *golden) same(t *testing.T, how string, want result, w *world) {
	t.Helper()
	if got := g.result(t, w); got != want {
		t.Fatalf("the result differs %s (-all at once, +%s):\n%s", how, how, cmp.Diff(pretty(t, want), pretty(t, got)))
	}
}

func pretty(t *testing.T, r result) string {
	t.Helper()
	return toYAML(t, []json.RawMessage{json.RawMessage(r.units), json.RawMessage(r.statuses)})
}
