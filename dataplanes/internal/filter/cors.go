package filter

import (
	"context"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/editing"
)

// cors answers preflight requests and marks responses (HTTPCORSFilter).
type cors struct{ editing.CORS }

var _ step = (*cors)(nil)

func compileCORS(spec *ir.CORS) (step, error) {
	c, err := editing.ReadCORS(spec)
	return &cors{c}, err
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
	c.permit(&answer.Header, "Access-Control-Allow-Methods", c.Methods, method)
	c.permit(&answer.Header, "Access-Control-Allow-Headers", c.Headers, headers)
	answer.Header.Add("Access-Control-Max-Age", c.MaxAge)
	return answer
}

// permit writes a list; with credentials, "*" would be a name like any other to
// a browser, so what the request asked for is written in its place.
func (c *cors) permit(h *exchange.Header, name, list, asked string) {
	if list == editing.Wildcard && c.Credentials {
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
	if !c.Any || c.Credentials {
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
	if c.Any && !c.Credentials {
		r.Header.Add("Access-Control-Allow-Origin", editing.Wildcard)
	} else {
		r.Header.Add("Access-Control-Allow-Origin", x.origin)
	}
	if c.Credentials {
		r.Header.Add("Access-Control-Allow-Credentials", "true")
	}
	if c.Exposed != "" && (c.Exposed != editing.Wildcard || !c.Credentials) {
		r.Header.Add("Access-Control-Expose-Headers", c.Exposed)
	}
}

// vary tells caches that the answer depends on the origin.
func vary(h *exchange.Header) {
	for _, f := range *h {
		if !strings.EqualFold(f.Name, "Vary") {
			continue
		}
		for name := range strings.SplitSeq(f.Value, ",") {
			if name = strings.TrimSpace(name); name == editing.Wildcard || strings.EqualFold(name, "Origin") {
				return
			}
		}
	}
	h.Add("Vary", "Origin")
}

func (c *cors) allowed(origin string) bool {
	if c.Any {
		return origin != "" && editing.ValidValue(origin)
	}
	o, ok := editing.ReadOrigin(origin)
	return ok && !strings.Contains(o.Host, editing.Wildcard) &&
		slices.ContainsFunc(c.Origins, func(pattern editing.Origin) bool { return allows(pattern, o) })
}

// allows reports whether an origin of a request is one that a pattern stands for.
func allows(pattern, o editing.Origin) bool {
	if o.Scheme != pattern.Scheme || o.Port != pattern.Port {
		return false
	}
	suffix, wild := strings.CutPrefix(pattern.Host, editing.Wildcard)
	if !wild {
		return o.Host == pattern.Host
	}
	return len(o.Host) > len(suffix) && strings.HasSuffix(o.Host, suffix)
}
