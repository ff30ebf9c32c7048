package gatewayapi

import (
	"regexp"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/requestpath"
)

// maxRegex bounds an expression's length, in bytes: Gateway API's own bound for
// most of the fields that hold one.
const maxRegex = 4096

var (
	// pathValue is what Gateway API allows in a path.
	pathValue = regexp.MustCompile(`^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+$`)
	// token is RFC 9110's, section 5.6.2: names of headers and methods.
	token = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+\\-.^_`|~]+$")
	// fieldValue is what may be sent as a header's value.
	fieldValue = regexp.MustCompile(`^[\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?$`)
)

var methods = []gatewayv1.HTTPMethod{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

// matches writes the rule's matches. A match that is broken refuses the rule,
// and stays as far as it can be understood: its traffic gets 500, and never
// falls through to a wider rule.
func (b *ruleBuilder) matches() {
	if b.isL4() {
		return
	}
	for i := range b.source.matches {
		if m, ok := b.match(&b.source.matches[i], item(b.field+".matches", i)); ok {
			b.rule.Matches = append(b.rule.Matches, m)
		}
	}
}

// match writes one match. Of a broken one the parts that are good stay, so that
// "/admin" with a header pattern that does not compile is closed and does not
// fall through to "/". Where nothing but "/" would be left the match goes, as
// other routes' traffic must not suffer.
func (b *ruleBuilder) match(m *matchSource, field string) (ir.Match, bool) {
	var made ir.Match
	var okPath, okHeaders, okQuery, okMethod bool
	made.Path, okPath = b.path(m, field)
	made.Headers, okHeaders = b.headerMatches(m.Headers, field+".headers")
	made.Query, okQuery = b.queryMatches(m.QueryParams, field+".queryParams")
	made.Method, okMethod = b.method(m, field+".method")
	if okHeaders && okQuery && okMethod {
		return made, okPath
	}
	narrow := made.Path.Value != "/" || made.Method != "" || len(made.Headers)+len(made.Query) > 0
	return made, okPath && narrow
}

func (b *ruleBuilder) method(m *matchSource, field string) (string, bool) {
	if m.Method == nil || *m.Method == "" {
		return "", true
	}
	if !slices.Contains(methods, *m.Method) {
		b.refuse(field, "%q is no method that can be matched; use one of %v", *m.Method, methods)
		return "", false
	}
	return string(*m.Method), true
}

func (b *ruleBuilder) path(m *matchSource, field string) (ir.PathMatch, bool) {
	root := ir.PathMatch{Kind: ir.Prefix, Value: "/"}
	if m.broken != "" {
		b.refuse(field+"."+m.pathField, "%s", m.broken)
		return root, false
	}
	if m.Path == nil {
		return root, true
	}
	kind, value := orDefault(m.Path.Type, gatewayv1.PathMatchPathPrefix), orDefault(m.Path.Value, "/")
	made := ir.PathMatch{Value: value}
	var why string
	switch kind {
	case gatewayv1.PathMatchExact:
		made.Kind = ir.Exact
		made.Value, why = normalPath(value)
	case gatewayv1.PathMatchPathPrefix:
		made.Kind = ir.Prefix
		made.Value, why = normalPath(value)
		made.Value = trimSlash(made.Value)
	case gatewayv1.PathMatchRegularExpression:
		made.Kind, why = ir.Regex, badRegex(value)
	default:
		b.refuse(field+".path.type", "%q is unknown; use Exact, PathPrefix or RegularExpression", kind)
		return closedPath(kind, value)
	}
	if why != "" {
		b.refuse(field+"."+m.pathField, "%s", why)
		return closedPath(kind, value)
	}
	return made, true
}

func trimSlash(prefix string) string {
	if trimmed := strings.TrimRight(prefix, "/"); trimmed != "" {
		return trimmed
	}
	return "/"
}

// normalPath writes a path as the paths of requests are written when they are
// matched, or says why it cannot.
func normalPath(value string) (string, string) {
	if why := badPath(value); why != "" {
		return "", why
	}
	normal, err := requestpath.Normalise(value)
	if err != nil {
		return "", quote(value) + " is no path that a request can have (" + err.Error() + "); correct it"
	}
	return normal, ""
}

// badPath says why a path cannot be compared with the path of a request, which
// is normalised before it is matched.
func badPath(value string) string {
	switch lower := strings.ToLower(value); {
	case !strings.HasPrefix(value, "/"):
		return quote(value) + " does not begin with /; write the path from its root"
	case !pathValue.MatchString(value):
		return quote(value) + " holds characters that a path cannot have; percent-encode them"
	case strings.Contains(value, "//"):
		return quote(value) + " holds an empty segment; write single slashes"
	case strings.Contains(lower, "%2f"), strings.Contains(lower, "%5c"):
		return quote(value) + " holds an encoded slash, which no request has when it is matched"
	case hasDots(strings.ReplaceAll(lower, "%2e", ".")):
		return quote(value) + " holds a . or .. segment, which no request has when it is matched"
	}
	return ""
}

func hasDots(value string) bool {
	for segment := range strings.SplitSeq(value, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// badRegex says why an expression cannot be used: all engines get RE2 syntax.
func badRegex(value string) string {
	if len(value) > maxRegex {
		return "the regular expression is longer than 4096 bytes; shorten it"
	}
	if _, err := regexp.Compile(value); err != nil {
		return "it is no regular expression of RE2 syntax (" + strings.TrimPrefix(err.Error(), "error parsing regexp: ") + "); correct it"
	}
	return ""
}

// closedPath is what a refused path still closes: what it could mean, or else
// the part of it that can be understood. Nothing where that would be every path,
// as other routes' traffic must not suffer.
func closedPath(kind gatewayv1.PathMatchType, value string) (ir.PathMatch, bool) {
	if kind == gatewayv1.PathMatchExact && pathValue.MatchString(value) {
		meant, err := requestpath.Normalise("/" + strings.TrimPrefix(value, "/"))
		return ir.PathMatch{Kind: ir.Exact, Value: meant}, err == nil && meant != "/"
	}
	literal := value
	if i := strings.IndexAny(value, `\.+*?()|[]{}^$#%`); i >= 0 {
		literal = value[:strings.LastIndex(value[:i], "/")+1]
	}
	cleaned, err := requestpath.Normalise("/" + literal)
	cleaned = trimSlash(cleaned)
	return ir.PathMatch{Kind: ir.Prefix, Value: cleaned}, err == nil && cleaned != "/"
}

func quote(value string) string {
	const most = 100
	if len(value) > most {
		value = strings.ToValidUTF8(value[:most], "") + "..."
	}
	return `"` + strings.ToValidUTF8(value, "") + `"`
}

// headerMatches writes matches on headers by name. Of two for one name the
// first counts, as the specification has it.
func (b *ruleBuilder) headerMatches(list []gatewayv1.HTTPHeaderMatch, field string) ([]ir.ValueMatch, bool) {
	values := make([]valueSource, 0, len(list))
	for i := range list {
		name := strings.ToLower(string(list[i].Name))
		if name == "host" {
			b.refuse(item(field, i)+".name", "the host is matched by spec.hostnames; use those")
			return nil, false
		}
		values = append(values, valueSource{name, string(orDefault(list[i].Type, gatewayv1.HeaderMatchExact)), list[i].Value})
	}
	return b.values(values, field)
}

func (b *ruleBuilder) queryMatches(list []gatewayv1.HTTPQueryParamMatch, field string) ([]ir.ValueMatch, bool) {
	values := make([]valueSource, 0, len(list))
	for i := range list {
		values = append(values, valueSource{string(list[i].Name), string(orDefault(list[i].Type, gatewayv1.QueryParamMatchExact)), list[i].Value})
	}
	return b.values(values, field)
}

// valueSource is a match on a header or on a query parameter.
type valueSource struct{ name, kind, value string }

func (b *ruleBuilder) values(list []valueSource, field string) ([]ir.ValueMatch, bool) {
	var made []ir.ValueMatch
	ok := true
	for i, v := range list {
		if slices.ContainsFunc(made, func(m ir.ValueMatch) bool { return m.Name == v.name }) {
			continue
		}
		m, good := b.value(v, item(field, i))
		if !good {
			ok = false
			continue
		}
		made = append(made, m)
	}
	slices.SortFunc(made, func(x, y ir.ValueMatch) int { return strings.Compare(x.Name, y.Name) })
	return made, ok
}

func (b *ruleBuilder) value(v valueSource, field string) (ir.ValueMatch, bool) {
	made := ir.ValueMatch{Name: v.name, Kind: ir.Exact, Value: v.value}
	if !token.MatchString(v.name) {
		b.refuse(field+".name", "%s is no valid name; use letters, digits and -", quote(v.name))
		return made, false
	}
	if v.value == "" {
		b.refuse(field+".value", "it is empty; give the value to match")
		return made, false
	}
	switch v.kind {
	case "Exact":
		return made, true
	case "RegularExpression":
		made.Kind = ir.Regex
		if why := badRegex(v.value); why != "" {
			b.refuse(field+".value", "%s", why)
			return made, false
		}
		return made, true
	}
	b.refuse(field+".type", "%q is unknown; use Exact or RegularExpression", v.kind)
	return made, false
}
