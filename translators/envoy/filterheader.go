package envoy

import (
	"strings"

	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	headerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/sluice-gateway/sluice/ir"
)

// edits are those of filters that follow each other.
type edits struct {
	request, trailer, response []*mutationv3.HeaderMutation
}

func (e *edits) empty() bool { return len(e.request)+len(e.trailer)+len(e.response) == 0 }

func (e *edits) filter() *headerv3.HeaderMutation {
	return &headerv3.HeaderMutation{Mutations: &headerv3.Mutations{
		RequestMutations: e.request, RequestTrailersMutations: e.trailer, ResponseMutations: e.response,
	}}
}

// addRequest has requests changed after all that was said before. What a rule
// sets or removes does not come back in another spelling or as a trailer: there
// are backends that take those for the same.
func (e *edits) addRequest(edit *ir.HeaderEdit) {
	for _, name := range edit.Remove {
		e.vouch(name)
	}
	for _, f := range edit.Set {
		e.vouch(f.Name)
	}
	for _, f := range edit.Set {
		e.request = append(e.request, put(f, corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD))
	}
	for _, f := range edit.Add {
		e.request = append(e.request, put(f, corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD))
	}
}

func (e *edits) vouch(name string) {
	drop := dropSpellings(name)
	e.request, e.trailer = append(e.request, drop), append(e.trailer, drop)
}

// addResponse has responses changed before all that was said before: they go
// the other way.
func (e *edits) addResponse(edit *ir.HeaderEdit) {
	var own []*mutationv3.HeaderMutation
	for _, name := range edit.Remove {
		own = append(own, drop(name))
	}
	for _, f := range edit.Set {
		own = append(own, put(f, corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD))
	}
	for _, f := range edit.Add {
		own = append(own, put(f, corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD))
	}
	e.response = append(own, e.response...)
}

func put(f ir.Header, how corev3.HeaderValueOption_HeaderAppendAction) *mutationv3.HeaderMutation {
	return format(f.Name, literal(f.Value), how)
}

// format puts a field with a value that Envoy makes.
func format(name, value string, how corev3.HeaderValueOption_HeaderAppendAction) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Append{Append: &corev3.HeaderValueOption{
		Header: &corev3.HeaderValue{Key: name, Value: value}, AppendAction: how, KeepEmptyValue: true,
	}}}
}

func drop(name string) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Remove{Remove: name}}
}

// dropSpellings drops a name, and all that those who write "_" or "." for "-"
// cannot tell from it.
func dropSpellings(name string) *mutationv3.HeaderMutation {
	if !strings.ContainsFunc(name, separates) {
		return drop(name)
	}
	var pattern strings.Builder
	for _, c := range strings.ToLower(name) {
		if separates(c) {
			pattern.WriteString("[-_.]")
			continue
		}
		pattern.WriteString(itself(string(c)))
	}
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_RemoveOnMatch_{
		RemoveOnMatch: &mutationv3.HeaderMutation_RemoveOnMatch{KeyMatcher: &matcherv3.StringMatcher{
			MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: pattern.String()}},
		}},
	}}
}

func separates(c rune) bool { return c == '-' || c == '_' || c == '.' }
