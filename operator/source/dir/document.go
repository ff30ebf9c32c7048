package dir

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source/dir/schema"
)

// document is one object as a file has it. It is immutable, and its lines count
// from the start of its own text, so that it is kept while text around it moves.
type document struct {
	// key has no Name where the text does not say which object it is.
	key     resources.Key
	object  resources.Object
	faults  []fault
	places  map[string]position
	start   position
	skipped bool
}

type fault struct {
	position
	field   string
	message string
}

func (d *document) identified() bool { return d.key.Kind != "" && d.key.Name != "" }

// parse reads the text of one document; more than one object comes out of a
// List.
func parse(catalog *schema.Catalog, text string) []*document {
	t, at, message := grow(text)
	if t == nil {
		return []*document{{start: *at, faults: []fault{{position: *at, message: message}}}}
	}
	if kind, _ := t.root["kind"].(string); kind == "List" && t.root["apiVersion"] == "v1" {
		return parseList(catalog, t)
	}
	return []*document{admit(catalog, t.root, t)}
}

func parseList(catalog *schema.Catalog, t *tree) []*document {
	items, _ := t.root["items"].([]any)
	limbs := t.limbs(len(items))
	docs := make([]*document, 0, len(items))
	for i, item := range items {
		prefix := fmt.Sprintf("items[%d]", i)
		obj, ok := item.(map[string]any)
		if !ok {
			at := t.places[prefix]
			docs = append(docs, &document{start: at, faults: []fault{{position: at, field: prefix, message: "is no object"}}})
			continue
		}
		docs = append(docs, admit(catalog, obj, limbs[i]))
	}
	return docs
}

var listItem = regexp.MustCompile(`^items\[(\d+)\]\.?`)

// limbs divides the tree of a List among its items.
func (t *tree) limbs(n int) []*tree {
	limbs := make([]*tree, n)
	for i := range limbs {
		limbs[i] = &tree{places: map[string]position{}}
	}
	of := func(path string) (*tree, string) {
		m := listItem.FindStringSubmatch(path)
		if m == nil {
			return &tree{places: map[string]position{}}, path
		}
		i, _ := strconv.Atoi(m[1])
		return limbs[i], path[len(m[0]):]
	}
	for path, at := range t.places {
		limb, rest := of(path)
		limb.places[rest] = at
	}
	for _, f := range t.faults {
		limb, rest := of(f.Field)
		limb.faults = append(limb.faults, schema.Fault{Field: rest, Message: f.Message})
	}
	return limbs
}

func admit(catalog *schema.Catalog, obj map[string]any, t *tree) *document {
	d := &document{places: t.places, start: firstOf(t.places, "apiVersion", "kind", "metadata")}
	found := t.faults
	if len(found) == 0 {
		r := catalog.Admit(obj)
		d.key, d.object, d.skipped, found = r.Key, r.Object, r.Skipped, r.Faults
	} else {
		kind, _ := obj["kind"].(string)
		d.key = schema.Identify(obj, kind, catalog.ClusterWide(kind))
	}
	for _, f := range found {
		d.faults = append(d.faults, fault{position: locate(d.places, f.Field, d.start), field: f.Field, message: f.Message})
	}
	return d
}

func firstOf(places map[string]position, names ...string) position {
	first := position{}
	for _, name := range names {
		at, ok := places[name]
		if ok && (first.line == 0 || at.line < first.line) {
			first = at
		}
	}
	if first.line == 0 {
		return position{1, 1}
	}
	return first
}

// locate finds a field, or the nearest one above it that is written down.
func locate(places map[string]position, path string, start position) position {
	for path != "" {
		if at, ok := places[path]; ok {
			return at
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			break
		}
		path = path[:cut]
	}
	return start
}
