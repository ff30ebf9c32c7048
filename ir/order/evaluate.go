package order

import (
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/requestpath"
)

// Request is what matches are compared with.
type Request struct {
	Method string
	// Host is lower case, without port and trailing dot.
	Host string
	// Path is normalised (package requestpath).
	Path string
	// Query is what follows the "?", as it came.
	Query string
	// Headers are in the order in which they came. Names may be in any case.
	Headers []ir.Header
}

// Evaluate compares one match with a request, the host apart. Where it does not
// match, why says which condition failed, what it wanted and what was there.
//
// A condition whose regular expression does not compile counts as met wherever
// it could have been: its rule answers 500 there, and its traffic never falls
// through to a wider rule (see Claims).
func Evaluate(m *ir.Match, r Request) (matched bool, why string) {
	checks := []func(*ir.Match, Request) string{path, method, headers, query}
	for _, check := range checks {
		if why := check(m, r); why != "" {
			return false, why
		}
	}
	return true, ""
}

func path(m *ir.Match, r Request) string {
	if MatchPath(m.Path, r.Path) {
		return ""
	}
	return fmt.Sprintf("path: %q does not match %s %q", r.Path, m.Path.Kind, m.Path.Value)
}

func method(m *ir.Match, r Request) string {
	if m.Method == "" || m.Method == r.Method {
		return ""
	}
	return fmt.Sprintf("method: %q is not %q", r.Method, m.Method)
}

func headers(m *ir.Match, r Request) string {
	for _, want := range m.Headers {
		value, found := HeaderValue(r.Headers, want.Name)
		if why := compare("header", want, value, found); why != "" {
			return why
		}
	}
	return ""
}

func query(m *ir.Match, r Request) string {
	for _, want := range m.Query {
		value, found := QueryValue(r.Query, want.Name)
		if why := compare("query parameter", want, value, found); why != "" {
			return why
		}
	}
	return ""
}

// compare says why a named value does not match, and nothing where it does.
func compare(what string, want ir.ValueMatch, value string, found bool) string {
	if !found {
		return fmt.Sprintf("%s %q: not in the request, %s %q is wanted", what, want.Name, want.Kind, want.Value)
	}
	if MatchValue(want, value) {
		return ""
	}
	return fmt.Sprintf("%s %q: %q does not match %s %q", what, want.Name, value, want.Kind, want.Value)
}

// MatchValue reports whether a value that is there meets a condition.
func MatchValue(want ir.ValueMatch, value string) bool {
	if want.Kind != ir.Regex {
		return value == want.Value
	}
	compiled, err := Regexp(want.Value)
	return err != nil || compiled.MatchString(value)
}

// MatchPath reports whether a normalised path meets a condition.
func MatchPath(want ir.PathMatch, path string) bool {
	switch want.Kind {
	case ir.Exact:
		return path == Literal(want)
	case ir.Prefix:
		return HasPathPrefix(path, Literal(want))
	case ir.Regex:
		compiled, err := Regexp(want.Value)
		if err != nil {
			claim, ok := Claims(want.Value)
			return ok && strings.HasPrefix(path, claim)
		}
		return compiled.MatchString(path)
	default:
		return false
	}
}

// HasPathPrefix reports whether a path begins with all segments of a prefix.
// The prefix has no trailing slash, unless it is "/".
func HasPathPrefix(path, prefix string) bool {
	if prefix == "/" {
		return strings.HasPrefix(path, "/")
	}
	return strings.HasPrefix(path, prefix) && (len(path) == len(prefix) || path[len(prefix)] == '/')
}

// Literal returns the normalised form of an exact or prefix match's value,
// because it is compared with normalised paths: "/%7Eann" means "/~ann". A value
// that cannot be normalised stays as it is, and matches nothing.
func Literal(want ir.PathMatch) string {
	normal, err := requestpath.Normalise(want.Value)
	if err != nil {
		return want.Value
	}
	if want.Kind == ir.Prefix && len(normal) > 1 {
		return strings.TrimSuffix(normal, "/")
	}
	return normal
}

// HeaderValue returns the values of a header joined by commas, and whether
// there is any (HTTPHeaderMatch; RFC 9110, section 5.3).
func HeaderValue(headers []ir.Header, name string) (value string, found bool) {
	var all []string
	for _, h := range headers {
		if strings.EqualFold(h.Name, name) {
			all = append(all, h.Value)
		}
	}
	return strings.Join(all, ","), len(all) > 0
}
