package envoy

import (
	xdscorev3 "github.com/cncf/xds/go/xds/core/v3"
	matcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
)

// The short names of what Envoy's trees are made of.
type (
	input     = xdscorev3.TypedExtensionConfig
	onMatches = map[string]*matcherv3.Matcher_OnMatch
	predicate = matcherv3.Matcher_MatcherList_Predicate
	rung      = matcherv3.Matcher_MatcherList_FieldMatcher
)

// nested goes on with another matcher.
func nested(m *matcherv3.Matcher) *matcherv3.Matcher_OnMatch {
	return &matcherv3.Matcher_OnMatch{OnMatch: &matcherv3.Matcher_OnMatch_Matcher{Matcher: m}}
}

// action ends the search.
func action(m proto.Message) *matcherv3.Matcher_OnMatch {
	return &matcherv3.Matcher_OnMatch{OnMatch: &matcherv3.Matcher_OnMatch_Action{Action: extension("route", m)}}
}

func extension(name string, m proto.Message) *input {
	return &input{Name: name, TypedConfig: typed(m)}
}

// header reads a request's header; several are joined by commas.
func header(name string) *input {
	return extension("header", &typev3.HttpRequestHeaderMatchInput{HeaderName: name})
}

// exactMap looks up what a header is.
func exactMap(of *input, all onMatches) *matcherv3.Matcher {
	return treeOf(&matcherv3.Matcher_MatcherTree{Input: of, TreeType: &matcherv3.Matcher_MatcherTree_ExactMatchMap{
		ExactMatchMap: &matcherv3.Matcher_MatcherTree_MatchMap{Map: all},
	}})
}

// prefixMap looks up what a header begins with, the longest first.
func prefixMap(of *input, all onMatches) *matcherv3.Matcher {
	return treeOf(&matcherv3.Matcher_MatcherTree{Input: of, TreeType: &matcherv3.Matcher_MatcherTree_PrefixMatchMap{
		PrefixMatchMap: &matcherv3.Matcher_MatcherTree_MatchMap{Map: all},
	}})
}

func treeOf(t *matcherv3.Matcher_MatcherTree) *matcherv3.Matcher {
	return &matcherv3.Matcher{MatcherType: &matcherv3.Matcher_MatcherTree_{MatcherTree: t}}
}

// ladder asks one rung after the other.
func ladder(rungs []*rung) *matcherv3.Matcher {
	return &matcherv3.Matcher{MatcherType: &matcherv3.Matcher_MatcherList_{
		MatcherList: &matcherv3.Matcher_MatcherList{Matchers: rungs},
	}}
}

// is compares a value that is there as a whole.
func is(of *input, value string) *predicate {
	return compares(of, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: value}})
}

// fits compares a value that is there with an expression, as a whole.
func fits(of *input, pattern string) *predicate {
	return compares(of, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{
		SafeRegex: &matcherv3.RegexMatcher{
			EngineType: &matcherv3.RegexMatcher_GoogleRe2{GoogleRe2: &matcherv3.RegexMatcher_GoogleRE2{}},
			Regex:      pattern,
		},
	}})
}

func compares(of *input, with *matcherv3.StringMatcher) *predicate {
	return &predicate{MatchType: &matcherv3.Matcher_MatcherList_Predicate_SinglePredicate_{
		SinglePredicate: &matcherv3.Matcher_MatcherList_Predicate_SinglePredicate{
			Input:   of,
			Matcher: &matcherv3.Matcher_MatcherList_Predicate_SinglePredicate_ValueMatch{ValueMatch: with},
		},
	}}
}

// all wants every one of at least one predicate.
func all(wanted []*predicate) *predicate {
	if len(wanted) == 1 {
		return wanted[0]
	}
	return &predicate{MatchType: &matcherv3.Matcher_MatcherList_Predicate_AndMatcher{
		AndMatcher: &matcherv3.Matcher_MatcherList_Predicate_PredicateList{Predicate: wanted},
	}}
}

// oneOf wants any of at least two predicates.
func oneOf(wanted ...*predicate) *predicate {
	return &predicate{MatchType: &matcherv3.Matcher_MatcherList_Predicate_OrMatcher{
		OrMatcher: &matcherv3.Matcher_MatcherList_Predicate_PredicateList{Predicate: wanted},
	}}
}

// none wants a predicate not to hold, which none does of what is not there.
func none(unwanted *predicate) *predicate {
	return &predicate{MatchType: &matcherv3.Matcher_MatcherList_Predicate_NotMatcher{NotMatcher: unwanted}}
}
