package dir

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-gateway/sluice/operator/source/dir/schema"
)

const (
	// maxDepth and maxNodes bound one document, aliases expanded: a few hundred
	// bytes of aliases can stand for gigabytes.
	maxDepth = 100
	maxNodes = 200_000
	// maxKey and maxPath bound the name of a field and that with all those above
	// it, in bytes. The longest that Kubernetes has is an annotation's: 317.
	maxKey  = 512
	maxPath = 1024
	// A document's paths may take pathFactor times the bytes of its text, and
	// pathAllowance: a long name above many values would be kept as often.
	pathFactor    = 64
	pathAllowance = 16 << 10
)

// position is a place in a document, counted from 1.
type position struct{ line, column int }

// tree is a document as the values that JSON has, and where each field stands.
type tree struct {
	root   map[string]any
	places map[string]position
	faults []schema.Fault
	nodes  int
	// room is how many bytes more of paths may be kept.
	room int
}

var syntaxLine = regexp.MustCompile(`^yaml: line (\d+): `)

// grow reads the text of one document. Where the text is no document, the
// position is that of the error.
func grow(text string) (*tree, *position, string) {
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(text), &node); err != nil {
		at, message := syntaxError(err.Error(), text)
		return nil, at, message
	}
	if len(node.Content) == 0 || node.Content[0].Kind != yaml.MappingNode {
		return nil, &position{firstLine(text), 1}, "is no object: a document begins with apiVersion, kind and metadata"
	}
	t := &tree{places: map[string]position{}, room: pathAllowance + pathFactor*len(text)}
	t.root, _ = t.value(node.Content[0], "", 0).(map[string]any)
	return t, nil, ""
}

func syntaxError(message, text string) (*position, string) {
	at := &position{1, 1}
	if m := syntaxLine.FindStringSubmatch(message); m != nil {
		at.line, _ = strconv.Atoi(m[1])
		message = strings.TrimPrefix(message, m[0])
	}
	at.line = max(firstLine(text), min(at.line, strings.Count(text, "\n")+1))
	message = strings.TrimPrefix(message, "yaml: ")
	if strings.Contains(text, "\t") && strings.Contains(message, "cannot start any token") {
		message += " (YAML indents with spaces, never with tabs)"
	}
	return at, "is no YAML: " + message
}

// firstLine is the first line that is not blank.
func firstLine(text string) int {
	body := strings.TrimLeft(text, " \t\r\n")
	return 1 + strings.Count(text[:len(text)-len(body)], "\n")
}

func (t *tree) fault(n *yaml.Node, path, message string) {
	if _, ok := t.places[path]; !ok {
		t.places[path] = position{n.Line, n.Column}
	}
	t.faults = append(t.faults, schema.Fault{Field: path, Message: message})
}

// place notes where a field stands, and reports whether to go on below it.
func (t *tree) place(n *yaml.Node, path string) bool {
	switch {
	case t.nodes > maxNodes:
		return false
	case len(path) > maxPath:
		t.end(n, path[:maxPath], fmt.Sprintf("is nested in names of more than %d characters", maxPath))
		return false
	case t.room < len(path):
		t.end(n, path, "is too large: it stands for many times more than its text, aliases included")
		return false
	}
	t.room -= len(path)
	t.places[path] = position{n.Line, n.Column}
	return true
}

// end gives a document up, so that no more faults come of it.
func (t *tree) end(n *yaml.Node, path, message string) {
	t.nodes = maxNodes + 1
	t.fault(n, path, message)
}

func (t *tree) value(n *yaml.Node, path string, depth int) any {
	if t.nodes++; depth > maxDepth || t.nodes > maxNodes {
		if t.nodes <= maxNodes+1 || depth > maxDepth {
			t.end(n, path, fmt.Sprintf("is too deep or too large: at most %d levels and %d values, aliases included", maxDepth, maxNodes))
		}
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		return t.value(n.Alias, path, depth+1)
	case yaml.MappingNode:
		return t.mapping(n, path, depth)
	case yaml.SequenceNode:
		return t.sequence(n, path, depth)
	default:
		return t.scalar(n, path)
	}
}

func (t *tree) sequence(n *yaml.Node, path string, depth int) any {
	list := make([]any, 0, len(n.Content))
	for i, item := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		if !t.place(item, at) {
			break
		}
		list = append(list, t.value(item, at, depth+1))
	}
	return list
}

func (t *tree) mapping(n *yaml.Node, path string, depth int) any {
	fields := map[string]any{}
	lines := map[string]int{}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content) && t.nodes <= maxNodes; i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.ShortTag() == "!!merge" {
			merged = append(merged, value)
			continue
		}
		if key.Kind != yaml.ScalarNode {
			t.fault(key, path, "has a key that is no text: a field's name is a word")
			continue
		}
		if len(key.Value) > maxKey {
			t.end(key, join(path, key.Value[:40]+"..."), fmt.Sprintf("has a name of %d characters: at most %d", len(key.Value), maxKey))
			break
		}
		at := join(path, key.Value)
		if first, twice := lines[key.Value]; twice {
			t.places[at] = position{key.Line, key.Column}
			t.fault(key, at, fmt.Sprintf("is written twice, here and %d lines above: keep one", key.Line-first))
			continue
		}
		lines[key.Value] = key.Line
		if !t.place(key, at) {
			break
		}
		fields[key.Value] = t.value(value, at, depth+1)
	}
	t.merge(fields, merged, mergeAt{path, depth})
	return fields
}

type mergeAt struct {
	path  string
	depth int
}

// merge lays fields of "<<" below those that are written out.
func (t *tree) merge(fields map[string]any, merged []*yaml.Node, at mergeAt) {
	for _, n := range merged {
		if n.Kind == yaml.SequenceNode {
			t.merge(fields, n.Content, at)
			continue
		}
		// The places of merged fields must not hide those written out.
		below := &tree{places: map[string]position{}, nodes: t.nodes, room: t.room}
		more, ok := below.value(n, at.path, at.depth+1).(map[string]any)
		t.nodes, t.room = below.nodes, below.room
		t.faults = append(t.faults, below.faults...)
		if !ok {
			t.fault(n, at.path, "merges (<<) what is no mapping")
		}
		for k, v := range more {
			if _, written := fields[k]; !written {
				fields[k] = v
			}
		}
		for p, where := range below.places {
			if _, known := t.places[p]; !known {
				t.places[p] = where
			}
		}
	}
}

var word = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$-]*$`)

// join names a field as Kubernetes does: a name with a dot goes in brackets.
func join(path, name string) string {
	switch {
	case !word.MatchString(name):
		return path + "[" + name + "]"
	case path == "":
		return name
	default:
		return path + "." + name
	}
}

func (t *tree) scalar(n *yaml.Node, path string) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		var b bool
		if n.Decode(&b) == nil {
			return b
		}
	case "!!int":
		var i int64
		if n.Decode(&i) == nil {
			return i
		}
		t.fault(n, path, fmt.Sprintf("%s is too large a number", short(n.Value)))
		return nil
	case "!!float":
		var f float64
		if n.Decode(&f) == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return f
		}
		t.fault(n, path, fmt.Sprintf("%s is no number that JSON has", short(n.Value)))
		return nil
	case "!!str", "!!timestamp":
		return n.Value
	}
	t.fault(n, path, fmt.Sprintf("has the tag %s, which no object has: remove it", short(n.Tag)))
	return nil
}

func short(s string) string {
	if len(s) > 40 {
		s = s[:40] + "..."
	}
	return strconv.Quote(s)
}
