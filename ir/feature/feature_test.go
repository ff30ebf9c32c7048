package feature_test

import (
	"slices"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
)

func TestTableNamesEachFeatureOnce(t *testing.T) {
	seen := map[feature.Name]bool{}
	for _, f := range feature.Table() {
		if seen[f.Name] || f.What == "" {
			t.Errorf("%s comes twice, or says nothing", f.Name)
		}
		seen[f.Name] = true
	}
}

// What a rule asks for is in the table: else no dataplane could ever offer it.
func TestOfRule(t *testing.T) {
	path := "/x"
	edit := &ir.PathEdit{Full: &path}
	key := ir.BackendKey{}
	filters := []ir.Filter{
		{RequestHeaders: &ir.HeaderEdit{}}, {ResponseHeaders: &ir.HeaderEdit{}},
		{Redirect: &ir.Redirect{Scheme: "https", Port: 1, Path: edit, Status: 303}},
		{Redirect: &ir.Redirect{Status: 307}}, {Redirect: &ir.Redirect{Status: 308}},
		{Rewrite: &ir.Rewrite{Hostname: "a", Path: edit}},
		{Mirror: &ir.Mirror{Numerator: 1, Denominator: 2}}, {Mirror: &ir.Mirror{Numerator: 1, Denominator: 1}},
		{CORS: &ir.CORS{}},
		{ExternalAuth: &ir.ExternalAuth{MaxBodyBytes: 1}}, {ExternalAuth: &ir.ExternalAuth{GRPC: true}},
	}
	rule := &ir.Rule{
		Matches: []ir.Match{{
			Path: ir.PathMatch{Kind: ir.Regex}, Method: "GET", Query: []ir.ValueMatch{{Kind: ir.Exact}},
		}},
		Filters:  filters,
		Backends: []ir.BackendUse{{Backend: &key, Filters: filters}},
		Timeouts: ir.RuleTimeouts{Request: ir.NoTimeout, BackendRequest: 1},
		Retry:    &ir.Retry{},
		Session:  &ir.Session{Header: true},
	}
	wanted := feature.OfRule(ir.HTTPRoute, rule)
	if missing := feature.All().Missing(wanted); len(missing) > 0 {
		t.Errorf("the table lacks %v", missing)
	}
	slices.Sort(wanted)
	if n := len(slices.Compact(wanted)); n != 31 {
		t.Errorf("a rule that has everything asks for %d features: %v", n, slices.Compact(wanted))
	}
	if plain := feature.OfRule(ir.HTTPRoute, &ir.Rule{
		Matches: []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: "/"}}},
		Filters: []ir.Filter{{RequestHeaders: &ir.HeaderEdit{}}, {Redirect: &ir.Redirect{Status: 302}}},
	}); len(plain) > 0 {
		t.Errorf("what is core asks for %v", plain)
	}
}

func TestSupportedIsSortedAndOfficial(t *testing.T) {
	supported := feature.Supported(feature.All())
	if !slices.IsSorted(supported) || slices.Contains(supported, feature.SessionPersistence) || !slices.Contains(supported, feature.HTTPRoute) {
		t.Errorf("supported: %v", supported)
	}
	if len(supported) > 64 {
		t.Errorf("%d features, and the CRD takes 64", len(supported))
	}
}
