package envoy

import (
	"regexp"

	matcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// pathHeaderName is the header that holds a request's path without its query,
// and a slash (pathHeaderValue), while a route is looked for. It is set before
// that, over whatever the client sent, and backends do not see it.
const (
	pathHeaderName  = "x-sluice-path"
	pathHeaderValue = "%PATH(NQ)%/"
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
	case want.Kind == ir.Exact:
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: value}}
	case want.Kind == ir.Prefix && value != "/":
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_PathSeparatedPrefix{PathSeparatedPrefix: value}}
	default:
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: ""}}
	}
}

// conditions asks what entries of one path want but for the path, in their
// order. Those after one that wants nothing can win nothing.
func (b branches) conditions(entries []order.Entry) *matcherv3.Matcher_OnMatch {
	var rungs []*rung
	var last *matcherv3.Matcher_OnMatch
	for _, e := range entries {
		wanted := wants(e.Match())
		if len(wanted) == 0 {
			last = b.serve(e)
			break
		}
		rungs = append(rungs, &rung{Predicate: all(wanted), OnMatch: b.serve(e)})
	}
	if len(rungs) == 0 {
		return last
	}
	m := ladder(rungs)
	m.OnNoMatch = last
	return nested(m)
}

// wants returns a match's conditions but for the path.
func wants(m *ir.Match) []*predicate {
	var wanted []*predicate
	if m.Method != "" {
		wanted = append(wanted, is(methodHeader, m.Method))
	}
	for _, h := range m.Headers {
		wanted = append(wanted, wantsHeader(h))
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

// expressions asks the expressions of a host, in order. It is nil where none
// can fit anything.
func (b branches) expressions(entries []order.Entry) *matcherv3.Matcher {
	var rungs []*rung
	for _, e := range entries {
		pattern, ok := pathPattern(e.Match().Path.Value)
		if ok {
			wanted := append(wants(e.Match()), fits(pathHeader, pattern))
			rungs = append(rungs, &rung{Predicate: all(wanted), OnMatch: b.serve(e)})
		}
	}
	if len(rungs) == 0 {
		return nil
	}
	return ladder(rungs)
}

// pathPattern makes a path's expression one of the header that holds the path
// and a slash. One that does not compile claims what it surely meant; it is
// false where that is nothing.
func pathPattern(pattern string) (string, bool) {
	if _, err := order.Regexp(pattern); err == nil {
		return "(?:" + pattern + ")/", true
	}
	claim, ok := order.Claims(pattern)
	return regexp.QuoteMeta(claim) + ".*/", ok
}
