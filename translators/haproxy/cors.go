package haproxy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/editing"
)

// addCORS answers preflight requests and marks answers (the Fetch standard).
func (w *walk) addCORS(spec *ir.CORS) error {
	read, err := editing.ReadCORS(spec)
	if err != nil {
		return err
	}
	c := cors{CORS: read, origin: fmt.Sprintf("txn.origin%d", w.marks), allowed: fmt.Sprintf("txn.allowed%d", w.marks)}
	w.marks++
	w.down(c.preflight()...)
	w.up(c.mark()...)
	return nil
}

// cors is a filter on its way into directives.
type cors struct {
	editing.CORS
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
			c.permit("access-control-allow-methods", c.Methods, "req.fhdr(access-control-request-method,1)")+
			c.permit("access-control-allow-headers", c.Headers, "req.fhdr(access-control-request-headers,1)")+
			" hdr access-control-max-age "+c.MaxAge+
			" if "+foreign+" { var("+c.allowed+") -m found }",
		"http-request return status 200 if "+foreign,
	)
}

// condition says which origins are allowed; empty where none is.
func (c *cors) condition() string {
	switch {
	case c.Any:
		return "{ var(" + c.origin + ") -m len gt 0 }"
	case len(c.Origins) == 0:
		return ""
	}
	var patterns []string
	for _, o := range c.Origins {
		patterns = append(patterns, pattern(o))
	}
	return "{ var(" + c.origin + "),lower -m reg " + quote("^(?:"+strings.Join(patterns, "|")+")$") + " }"
}

// permit writes a list; with credentials, "*" would be a name like any other to a
// browser, so what the request asked for is written in its place. HAProxy leaves
// out a field without a value.
func (c *cors) permit(name, list, asked string) string {
	value := format(list)
	switch {
	case list == "":
		return ""
	case c.Credentials && list == editing.Wildcard:
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
	if !c.Any || c.Credentials {
		lines = append(lines, after+"add-header vary Origin unless { res.hdr(vary) -m str -i origin * }")
	}
	for _, name := range []string{"access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers"} {
		lines = append(lines, after+"del-header "+name+foreign)
	}
	origin := formatted("", "var("+c.allowed+")")
	if c.Any && !c.Credentials {
		origin = format(editing.Wildcard)
	}
	lines = append(lines, after+"add-header access-control-allow-origin "+origin+allowed)
	if c.Credentials {
		lines = append(lines, after+"add-header access-control-allow-credentials true"+allowed)
	}
	if c.Exposed != "" && (c.Exposed != editing.Wildcard || !c.Credentials) {
		lines = append(lines, after+"add-header access-control-expose-headers "+format(c.Exposed)+allowed)
	}
	return lines
}

// pattern is a regular expression of the origins that one stands for. Whatever else
// than "*" a host may hold is written so that it stands for itself.
func pattern(o editing.Origin) string {
	end := ":" + o.Port
	if o.Port == strconv.Itoa(int(editing.WellKnown(o.Scheme))) {
		end = "(?:" + end + ")?"
	}
	name, wild := strings.CutPrefix(o.Host, editing.Wildcard)
	switch {
	case wild && name == "":
		return o.Scheme + `://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])` + end
	case wild:
		return o.Scheme + "://[a-z0-9._-]+" + itself(name) + end
	default:
		return o.Scheme + "://" + itself(name) + end
	}
}

// itself is an expression that matches a host alone.
func itself(host string) string {
	return strings.NewReplacer(".", `\.`, "[", `\[`, "]", `\]`).Replace(host)
}
