package envoy

import (
	"regexp"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// TestQueryPatternsReadAsOrderDoes holds the expressions to order's reading.
func TestQueryPatternsReadAsOrderDoes(t *testing.T) { rapid.Check(t, readsQueries) }

func FuzzQueryPatternsReadAsOrderDoes(f *testing.F) { f.Fuzz(rapid.MakeFuzz(readsQueries)) }

func readsQueries(t *rapid.T) {
	want := ir.ValueMatch{
		Name: rapid.StringOfN(rapid.SampledFrom([]rune("pq +&=%1Aé")), 1, 4, -1).Draw(t, "name"),
		Kind: ir.Exact, Value: rapid.StringOfN(rapid.SampledFrom([]rune("ab +&=%41é?")), 0, 4, -1).Draw(t, "value"),
	}
	bare := true
	if rapid.Bool().Draw(t, "expression") {
		bare = false
		want.Kind = ir.Regex
		want.Value = rapid.SampledFrom([]string{
			"a*", "(", "[ab]+", ".*", "a b", "[^a]*", "(?i)AB?", "a|b", "(a|b){2}", "^a.$", "[ -z]*", "é", "a{1,2}.", "[a-é]", `\w+`, "%",
		}).Draw(t, "pattern")
	}
	query := rapid.StringOfN(rapid.SampledFrom([]rune("pqab +&&==%%%4126Aa?")), 0, 16, -1).Draw(t, "query")
	value, found := order.QueryValue(query, want.Name)
	if !bare && regexp.MustCompile(`%(?:[^0-9A-Fa-f]|.[^0-9A-Fa-f]|.?$)`).MatchString(query) {
		t.Skip("a stray percent sign fits no expression")
	}
	expected := found && order.MatchValue(want, value)
	compiled, err := order.Regexp(queryPattern(want))
	if err != nil {
		t.Fatalf("%s does not compile: %v", queryPattern(want), err)
	}
	if got := compiled.MatchString("/a?" + query); got != expected {
		t.Fatalf("?%s with %+v: %v, order says %v (%q, %v); %s", query, want, got, expected, value, found, queryPattern(want))
	}
}
