package haproxy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/editing"
)

// wildcard allows everything, wherever CORS takes a list.
const wildcard = "*"

// addCORS answers preflight requests and marks answers (the Fetch standard).
func (w *walk) addCORS(spec *ir.CORS) error {
	for _, text := range slices.Concat(spec.AllowMethods, spec.AllowHeaders, spec.ExposeHeaders) {
		if !editing.ValidName(text) {
			return fmt.Errorf("cors: %q is neither a name nor %q", text, wildcard)
		}
	}
	c := cors{CORS: spec, any: slices.Contains(spec.AllowOrigins, wildcard)}
	for _, text := range spec.AllowOrigins {
		if text == wildcard {
			continue
		}
		pattern, ok := originPattern(text)
		if !ok {
			return fmt.Errorf(`cors.allowOrigins: %q is not of the form "https://host" or "https://host:port"`, text)
		}
		c.patterns = append(c.patterns, pattern)
	}
	c.origin, c.allowed = fmt.Sprintf("txn.origin%d", w.marks), fmt.Sprintf("txn.allowed%d", w.marks)
	w.marks++
	w.down(c.preflight()...)
	w.up(c.mark()...)
	return nil
}

// cors is a filter on its way into directives.
type cors struct {
	*ir.CORS
	any bool
	// patterns are regular expressions of origins in lower case.
	patterns []string
	// origin and allowed are the variables of the request's origin, and of one that
	// is allowed.
	origin, allowed string
}

// preflight notes the origin, and answers preflight requests. One from an origin
// that is not allowed is answered too, without any permission.
func (c *cors) preflight() []string {
	const asks = "METH_OPTIONS { req.hdr(access-control-request-method) -m found }"
	foreign := asks + " { var(" + c.origin + ") -m found }"
	lines := []string{"http-request set-var(" + c.origin + ") req.fhdr(origin,1)"}
	if condition := c.condition(); condition != "" {
		lines = append(lines, "http-request set-var("+c.allowed+") var("+c.origin+") if "+condition)
	}
	return append(lines,
		"http-request set-var("+varFlag+") str(filter) if "+foreign,
		"http-request return status 200"+
			c.permit("access-control-allow-methods", c.AllowMethods, "req.fhdr(access-control-request-method,1)")+
			c.permit("access-control-allow-headers", c.AllowHeaders, "req.fhdr(access-control-request-headers,1)")+
			" hdr access-control-max-age "+strconv.Itoa(c.MaxAge)+
			" if "+foreign+" { var("+c.allowed+") -m found }",
		"http-request return status 200 if "+foreign,
	)
}

// condition says which origins are allowed; empty where none is.
func (c *cors) condition() string {
	switch {
	case c.any:
		return "{ var(" + c.origin + ") -m len gt 0 }"
	case len(c.patterns) == 0:
		return ""
	default:
		return "{ var(" + c.origin + "),lower -m reg " + quote("^(?:"+strings.Join(c.patterns, "|")+")$") + " }"
	}
}

// permit writes a list; with credentials, "*" would be a name like any other to a
// browser, so what the request asked for is written in its place. HAProxy leaves
// out a field without a value.
func (c *cors) permit(name string, list []string, asked string) string {
	value := format(joined(list))
	switch {
	case len(list) == 0:
		return ""
	case c.AllowCredentials && slices.Contains(list, wildcard):
		value = formatted("", asked)
	}
	return " hdr " + name + " " + value
}

// mark marks every answer, a preflight's and the proxy's own errors included:
// without the marks a script could not read them. What a backend wrote is taken
// away, because the filter alone decides.
func (c *cors) mark() []string {
	const after = "http-after-response "
	foreign, allowed := " if { var("+c.origin+") -m found }", " if { var("+c.allowed+") -m found }"
	var lines []string
	if !c.any || c.AllowCredentials {
		lines = append(lines, after+"add-header vary Origin unless { res.hdr(vary) -m str -i origin * }")
	}
	for _, name := range []string{"access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers"} {
		lines = append(lines, after+"del-header "+name+foreign)
	}
	origin := formatted("", "var("+c.allowed+")")
	if c.any && !c.AllowCredentials {
		origin = format(wildcard)
	}
	lines = append(lines, after+"add-header access-control-allow-origin "+origin+allowed)
	if c.AllowCredentials {
		lines = append(lines, after+"add-header access-control-allow-credentials true"+allowed)
	}
	if exposed := joined(c.ExposeHeaders); exposed != "" && (exposed != wildcard || !c.AllowCredentials) {
		lines = append(lines, after+"add-header access-control-expose-headers "+format(exposed)+allowed)
	}
	return lines
}

// joined lists names; one "*" among them makes all others superfluous.
func joined(names []string) string {
	if slices.Contains(names, wildcard) {
		return wildcard
	}
	return strings.Join(names, ", ")
}

// originPattern is a regular expression of the origins that a rule's text allows.
// "*" stands for at least one character of a host, dots included. Whatever else a
// host may hold, which the text has been held to, is written so that it stands for
// itself.
func originPattern(text string) (string, bool) {
	scheme, rest, ok := strings.Cut(strings.ToLower(text), "://")
	if !ok || scheme != "http" && scheme != "https" {
		return "", false
	}
	host, port := rest, strconv.Itoa(int(wellKnown(scheme)))
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, ']') {
		host, port = rest[:i], rest[i+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", false
		}
	}
	end := ":" + port
	if port == strconv.Itoa(int(wellKnown(scheme))) {
		end = "(?:" + end + ")?"
	}
	name, wild := strings.CutPrefix(host, wildcard)
	switch {
	case wild && name == "":
		return scheme + `://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])` + end, true
	case wild:
		return scheme + "://[a-z0-9._-]+" + itself(name) + end, editing.ValidHost(name)
	default:
		return scheme + "://" + itself(name) + end, editing.ValidHost(name)
	}
}

// itself is an expression that matches a host alone.
func itself(host string) string {
	return strings.NewReplacer(".", `\.`, "[", `\[`, "]", `\]`).Replace(host)
}
