package filter

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/ir/editing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

// cors answers preflight requests and marks responses (HTTPCORSFilter).
type cors struct {
	origins     []originPattern
	anyOrigin   bool
	credentials bool
	// methods, headers and exposed are ready to be written; "*" stands alone.
	methods, headers, exposed string
	maxAge                    string
}

var _ step = (*cors)(nil)

// wildcard allows everything, wherever CORS takes a list.
const wildcard = "*"

func compileCORS(spec *ir.CORS) (step, error) {
	c := &cors{
		anyOrigin:   slices.Contains(spec.AllowOrigins, wildcard),
		credentials: spec.AllowCredentials,
		methods:     list(spec.AllowMethods),
		headers:     list(spec.AllowHeaders),
		exposed:     list(spec.ExposeHeaders),
		maxAge:      strconv.Itoa(spec.MaxAge),
	}
	for _, text := range slices.Concat(spec.AllowMethods, spec.AllowHeaders, spec.ExposeHeaders) {
		if !editing.ValidName(text) {
			return nil, fmt.Errorf("cors: %q is neither a name nor %q", text, wildcard)
		}
	}
	for _, text := range spec.AllowOrigins {
		if text == wildcard {
			continue
		}
		pattern, ok := parseOrigin(text)
		if !ok {
			return nil, fmt.Errorf(`cors.allowOrigins: %q is not of the form "https://host" or "https://host:port"`, text)
		}
		c.origins = append(c.origins, pattern)
	}
	return c, nil
}

// list joins names; one "*" among them makes all others superfluous.
func list(names []string) string {
	if slices.Contains(names, wildcard) {
		return wildcard
	}
	return strings.Join(names, ", ")
}

// request answers a preflight request; it never reaches a backend. One from an
// origin that is not allowed is answered too, without any permission.
func (c *cors) request(_ context.Context, x *Exchange) *exchange.Response {
	if x.Request.Method != "OPTIONS" || !x.hasOrigin {
		return nil
	}
	method, found := x.Request.Header.Get("Access-Control-Request-Method")
	if !found {
		return nil
	}
	answer := &exchange.Response{Status: 200}
	if !c.allowed(x.origin) {
		return answer
	}
	headers, _ := x.Request.Header.Joined("Access-Control-Request-Headers")
	c.permit(&answer.Header, "Access-Control-Allow-Methods", c.methods, method)
	c.permit(&answer.Header, "Access-Control-Allow-Headers", c.headers, headers)
	answer.Header.Add("Access-Control-Max-Age", c.maxAge)
	return answer
}

// permit writes a list; with credentials, "*" would be a name like any other to
// a browser, so what the request asked for is written in its place.
func (c *cors) permit(h *exchange.Header, name, list, asked string) {
	if list == wildcard && c.credentials {
		list = asked
	}
	if list != "" && editing.ValidValue(list) {
		h.Add(name, list)
	}
}

// response marks every answer, a preflight's and the proxy's own errors
// included: without the marks, a script could not read them. What a backend
// wrote is taken away, because the filter alone decides.
func (c *cors) response(x *Exchange, r *exchange.Response) {
	if !c.anyOrigin || c.credentials {
		vary(&r.Header)
	}
	if !x.hasOrigin {
		return
	}
	r.Header.Del("Access-Control-Allow-Origin")
	r.Header.Del("Access-Control-Allow-Credentials")
	r.Header.Del("Access-Control-Expose-Headers")
	if !c.allowed(x.origin) {
		return
	}
	if c.anyOrigin && !c.credentials {
		r.Header.Add("Access-Control-Allow-Origin", wildcard)
	} else {
		r.Header.Add("Access-Control-Allow-Origin", x.origin)
	}
	if c.credentials {
		r.Header.Add("Access-Control-Allow-Credentials", "true")
	}
	if c.exposed != "" && (c.exposed != wildcard || !c.credentials) {
		r.Header.Add("Access-Control-Expose-Headers", c.exposed)
	}
}

// vary tells caches that the answer depends on the origin.
func vary(h *exchange.Header) {
	for _, f := range *h {
		if !strings.EqualFold(f.Name, "Vary") {
			continue
		}
		for name := range strings.SplitSeq(f.Value, ",") {
			if name = strings.TrimSpace(name); name == wildcard || strings.EqualFold(name, "Origin") {
				return
			}
		}
	}
	h.Add("Vary", "Origin")
}

func (c *cors) allowed(origin string) bool {
	if c.anyOrigin {
		return origin != "" && editing.ValidValue(origin)
	}
	o, ok := parseOrigin(origin)
	return ok && !strings.Contains(o.host, wildcard) && slices.ContainsFunc(c.origins, o.matches)
}

// originPattern is an origin, or a pattern of origins whose host begins with
// "*".
type originPattern struct {
	scheme, host, port string
}

// parseOrigin reads scheme://host[:port], and fills in the scheme's own port.
func parseOrigin(text string) (originPattern, bool) {
	scheme, rest, ok := strings.Cut(strings.ToLower(text), "://")
	if !ok || scheme != "http" && scheme != "https" {
		return originPattern{}, false
	}
	host, port := rest, ""
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, ']') {
		host, port = rest[:i], rest[i+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return originPattern{}, false
		}
	}
	if port == "" {
		port = strconv.Itoa(int(wellKnown(scheme)))
	}
	name := strings.TrimPrefix(host, wildcard)
	valid := name == "" && host == wildcard || editing.ValidHost(name)
	return originPattern{scheme: scheme, host: host, port: port}, valid
}

// matches reports whether o, an origin of a request, matches a pattern. "*"
// stands for at least one character, dots included.
func (o originPattern) matches(pattern originPattern) bool {
	if o.scheme != pattern.scheme || o.port != pattern.port {
		return false
	}
	suffix, wild := strings.CutPrefix(pattern.host, wildcard)
	if !wild {
		return o.host == pattern.host
	}
	return len(o.host) > len(suffix) && strings.HasSuffix(o.host, suffix)
}
