package haproxy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// TestManyComparisonsHaveOneBound has a request be compared with many expressions, each
// of which is ordinary and looks at all of a long value: what they take together is bounded.
func TestManyComparisonsHaveOneBound(t *testing.T) {
	const few, many = 10, 400
	var matches []ir.Match
	add := func(path string, count int) {
		for i := range count {
			matches = append(matches, ir.Match{
				Path:    ir.PathMatch{Kind: ir.Exact, Value: path},
				Headers: []ir.ValueMatch{{Name: "x-a", Kind: ir.Regex, Value: fmt.Sprintf(".*y%d|[a-x/]*z%d", i, i)}},
			})
		}
	}
	add("/few", few)
	add("/many", many)
	r := startRig(t, 80)
	r.load(t, Translate(matching(matches...), Target{}, nil))
	door := r.dial(t, 80)
	// As long as a head may be, with what a request has beside.
	long := strings.Repeat("abcdefghijklmnopqrstuvwx/", 63<<10/25)
	for _, one := range []struct{ path, value, want string }{
		{"/few", long + "y9", "|HTTPRoute/n/r/9|"},
		{"/few", long + "z9", "|HTTPRoute/n/r/9|"},
		{"/few", long, "|answer_404|"},
		{"/many", "y399", "|HTTPRoute/n/r/409|"},
		{"/many", long, "|answer_500||"},
	} {
		said := door.ask(t, order.Request{Method: "GET", Host: "any", Path: one.path, Headers: []ir.Header{{Name: "X-A", Value: one.value}}})
		if !strings.Contains(said, one.want) {
			t.Errorf("%s of %d bytes is led by %q, want %q", one.path, len(one.value), said, one.want)
		}
	}
}
