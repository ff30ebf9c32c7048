package hash_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/hash"
)

func routes(n int) []*ir.Route {
	list := make([]*ir.Route, n)
	for i := range list {
		list[i] = &ir.Route{Origin: ir.Object{Kind: "HTTPRoute", Namespace: "a", Name: fmt.Sprint(i)}, Kind: ir.HTTPRoute}
	}
	return list
}

// TestOnlyNewPartsAreSummed: whatever comes, goes or moves, what is the same
// pointer is not encoded again, and the sum is that of a fresh start.
func TestOnlyNewPartsAreSummed(t *testing.T) {
	list := routes(100)
	extra := routes(102)[100:]
	var kept hash.Memo[ir.Route]
	count := 0
	sum := func(r *ir.Route) hash.Sum {
		count++
		return hash.Of(r)
	}
	for _, c := range []struct {
		what  string
		parts []*ir.Route
		want  int
	}{
		{"the start", list, 100},
		{"nothing new", list, 0},
		{"one changed", append(append(append([]*ir.Route{}, list[:50]...), extra[0]), list[51:]...), 1},
		{"it is back", list, 1},
		{"one gone", append(append([]*ir.Route{}, list[:20]...), list[21:]...), 0},
		{"one added in front", append([]*ir.Route{extra[1]}, list[21:]...), 1},
		{"turned around", []*ir.Route{list[60], list[40], extra[1], list[99]}, 0},
		{"none", nil, 0},
	} {
		count = 0
		got := kept.Sums(c.parts, sum)
		if count != c.want {
			t.Errorf("%s: %d parts were summed, want %d", c.what, count, c.want)
		}
		if fresh := (&hash.Memo[ir.Route]{}).Sums(c.parts, hash.Of); !slices.Equal(got, fresh) {
			t.Errorf("%s: the sums are not those of a fresh start", c.what)
		}
	}
}
