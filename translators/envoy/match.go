package envoy

import (
	"slices"
	"strings"

	matcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// pathHeaderName is the header that holds a request's path without its query,
// and a slash (pathHeaderValue), while a route is looked for. It is set before
// that, over whatever the client sent, and backends do not see it. PATH alone would
// be the client's X-Envoy-Original-Path, if it sent one.
const (
	pathHeaderName  = "x-sluice-path"
	pathHeaderValue = "%PATH(NQ:PATH)%/"
)

// What conditions read, packed once.
var (
	pathHeader   = header(pathHeaderName)
	methodHeader = header(":method")
	targetHeader = header(":path")
	authority    = header(":authority")
)

// pathOf is the path of a route that was chosen already: it says what a rewrite
// replaces, and fits every request that the entry can win.
func pathOf(want ir.PathMatch) *routev3.RouteMatch {
	value := order.Literal(want)
	switch {
	case want.Kind == ir.Exact && len(spellings(spot{want.Kind, value})) == 0:
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: value}}
	case want.Kind == ir.Prefix && value != "/":
		m := &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_PathSeparatedPrefix{PathSeparatedPrefix: value}}
		if strings.IndexByte(value, '%') >= 0 {
			m.CaseSensitive = wrapperspb.Bool(false)
		}
		return m
	default:
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: ""}}
	}
}

// manyConditions is from where on entries that want a header's value are looked up
// by it: a thousand rules that differ by a tenant's header cost one look-up.
const manyConditions = 4

// conditions asks what entries of one path want but for the path and the headers
// that were compared already, in their order. Those after one that wants nothing
// can win nothing.
func (b branches) conditions(entries []order.Entry, compared []string) *matcherv3.Matcher_OnMatch {
	var steps []*matcherv3.Matcher
	var end *matcherv3.Matcher_OnMatch
	for len(entries) > 0 && end == nil {
		var step *matcherv3.Matcher
		name, run := sameHeader(entries, compared)
		if run >= manyConditions {
			step = b.byValue(name, entries[:run], compared)
		} else {
			step, end, run = b.inTurn(entries, compared)
		}
		if entries = entries[run:]; step != nil {
			steps = append(steps, step)
		}
	}
	for i := len(steps) - 1; i >= 0; i-- {
		end = nested(&matcherv3.Matcher{MatcherType: steps[i].MatcherType, OnNoMatch: end})
	}
	return end
}

// inTurn asks entries one after the other, up to one that wants nothing, which is
// the end, or to where many want values of one header. Asked is how many.
func (b branches) inTurn(entries []order.Entry, compared []string) (step *matcherv3.Matcher, end *matcherv3.Matcher_OnMatch, asked int) {
	var rungs []*rung
	for i, e := range entries {
		if _, run := sameHeader(entries[i:], compared); run >= manyConditions {
			break
		}
		asked++
		wanted := wants(e.Match(), compared)
		if len(wanted) == 0 {
			end = b.serve(e)
			break
		}
		rungs = append(rungs, &rung{Predicate: all(wanted), OnMatch: b.serve(e)})
	}
	if len(rungs) == 0 {
		return nil, end, asked
	}
	return ladder(rungs), end, asked
}

// sameHeader returns the header of which the first entries all want a value, and
// how many they are.
func sameHeader(entries []order.Entry, compared []string) (name string, run int) {
	for _, e := range entries {
		at := slices.IndexFunc(e.Match().Headers, func(h ir.ValueMatch) bool {
			return h.Kind != ir.Regex && !slices.Contains(compared, h.Name) && (run == 0 || h.Name == name)
		})
		if at < 0 {
			break
		}
		name = e.Match().Headers[at].Name
		run++
	}
	return name, run
}

// byValue looks entries up by the value that they want of a header.
func (b branches) byValue(name string, entries []order.Entry, compared []string) *matcherv3.Matcher {
	wanting := map[string][]order.Entry{}
	for _, e := range entries {
		for _, h := range e.Match().Headers {
			if h.Name == name {
				wanting[h.Value] = append(wanting[h.Value], e)
			}
		}
	}
	values, compared := make(onMatches, len(wanting)), append(slices.Clip(compared), name)
	for value, some := range wanting {
		values[value] = b.conditions(some, compared)
	}
	return exactMap(header(name), values)
}

// wants returns a match's conditions but for the path and the headers that were
// compared already.
func wants(m *ir.Match, compared []string) []*predicate {
	var wanted []*predicate
	if m.Method != "" {
		wanted = append(wanted, is(methodHeader, m.Method))
	}
	for _, h := range m.Headers {
		if !slices.Contains(compared, h.Name) {
			wanted = append(wanted, wantsHeader(h))
		}
	}
	for _, q := range m.Query {
		wanted = append(wanted, fits(targetHeader, queryPattern(q)))
	}
	return wanted
}

func wantsHeader(want ir.ValueMatch) *predicate {
	of := header(want.Name)
	if want.Kind != ir.Regex {
		return is(of, want.Value)
	}
	if _, err := order.Regexp(want.Value); err != nil {
		return fits(of, anything)
	}
	return fits(of, want.Value)
}

// anything fits every value that is there: it takes the place of an expression
// that does not compile, so that the rule keeps its traffic.
const anything = `(?s).*`
