package explain

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

func (a *Answer) win(u *ir.Unit, c order.Candidate, e *Explanation) {
	rule := c.Entry.Rule
	a.Winner = &Winner{
		Route: c.Entry.Route.Origin, Rule: c.Entry.RuleIndex, RuleName: rule.Origin.Section, Match: c.Entry.Index,
		Hostname: c.Hostname, Wants: wants(c.Entry.Match()),
	}
	if rule.Refused != "" {
		a.Status, a.Why = http.StatusInternalServerError, rule.Refused
		return
	}
	step := change{request: e.Request, path: e.Path, match: c.Entry.Match().Path}
	a.Winner.Filters = describeFilters(rule.Filters, step)
	a.Winner.Backends = backends(u, rule, step)
	a.Status, a.Why = ownAnswer(rule, a.Winner.Backends)
}

// ownAnswer is the status that the proxy gives by itself; 0 where backends do.
func ownAnswer(rule *ir.Rule, backends []Backend) (status int, why string) {
	for _, f := range rule.Filters {
		if f.Redirect != nil {
			return f.Redirect.Status, "it redirects"
		}
	}
	total, problem, able := 0, "", false
	for _, b := range backends {
		total += b.Weight
		if b.Weight > 0 && b.Problem != "" {
			problem = b.Problem
		}
		able = able || b.Weight > 0 && b.Problem == ""
	}
	switch {
	case len(backends) == 0:
		return http.StatusInternalServerError, "the rule has no backend"
	case total == 0:
		return http.StatusInternalServerError, "the weights of its backends are all 0"
	case able:
		return 0, ""
	case problem == noEndpoints:
		return http.StatusServiceUnavailable, problem
	default:
		return http.StatusInternalServerError, problem
	}
}

const noEndpoints = "it has no endpoints"

func backends(u *ir.Unit, rule *ir.Rule, step change) []Backend {
	total := 0
	for _, use := range rule.Backends {
		total += use.Weight
	}
	var list []Backend
	for _, use := range rule.Backends {
		b := Backend{Weight: use.Weight, Filters: describeFilters(use.Filters, step)}
		if total > 0 {
			b.Percent = float64(use.Weight) * 100 / float64(total)
		}
		b.describe(u, use.Backend)
		list = append(list, b)
	}
	return list
}

func (b *Backend) describe(u *ir.Unit, key *ir.BackendKey) {
	if key == nil {
		b.Problem = "its reference could not be resolved; sluice run --once says why"
		return
	}
	b.Name, b.Protocol = backendName(*key), key.Protocol
	for _, known := range u.Proxy.Backends {
		if known.Key == *key && known.TLS != nil {
			b.TLS, b.Problem = true, known.TLS.Invalid
		}
	}
	for _, known := range u.Endpoints {
		if known.Key != key.EndpointsKey {
			continue
		}
		for _, e := range known.Endpoints {
			b.Endpoints = append(b.Endpoints, net.JoinHostPort(e.Address, strconv.Itoa(int(e.Port))))
		}
	}
	if len(b.Endpoints) == 0 && b.Problem == "" {
		b.Problem = noEndpoints
	}
}

func backendName(key ir.BackendKey) string {
	return fmt.Sprintf("%s/%s:%d", key.Namespace, key.Service, key.Port)
}

// wants puts a match in words.
func wants(m *ir.Match) string {
	parts := []string{fmt.Sprintf("path %s %s", m.Path.Kind, m.Path.Value)}
	if m.Method != "" {
		parts = append(parts, "method "+m.Method)
	}
	for _, h := range m.Headers {
		parts = append(parts, fmt.Sprintf("header %s %s %q", h.Name, h.Kind, h.Value))
	}
	for _, q := range m.Query {
		parts = append(parts, fmt.Sprintf("query %s %s %q", q.Name, q.Kind, q.Value))
	}
	return strings.Join(parts, ", ")
}

// change is what filters work on.
type change struct {
	request Request
	path    string
	match   ir.PathMatch
}

func describeFilters(filters []ir.Filter, step change) []string {
	var list []string
	for _, f := range filters {
		list = append(list, describeFilter(f, step))
	}
	return list
}

func describeFilter(f ir.Filter, step change) string {
	switch {
	case f.RequestHeaders != nil:
		return "request headers: " + headerEdit(f.RequestHeaders)
	case f.ResponseHeaders != nil:
		return "response headers: " + headerEdit(f.ResponseHeaders)
	case f.Redirect != nil:
		return fmt.Sprintf("redirects with %d to %s", f.Redirect.Status, location(f.Redirect, step))
	case f.Rewrite != nil:
		return "rewrites: " + rewrite(f.Rewrite, step)
	case f.Mirror != nil:
		return fmt.Sprintf("mirrors %d of %d requests to %s", f.Mirror.Numerator, f.Mirror.Denominator, backendName(f.Mirror.Backend))
	case f.CORS != nil:
		return "CORS: allows the origins " + strings.Join(f.CORS.AllowOrigins, ", ")
	case f.ExternalAuth != nil:
		return "asks " + backendName(f.ExternalAuth.Backend) + " for leave"
	default:
		return "a filter"
	}
}

func headerEdit(e *ir.HeaderEdit) string {
	var parts []string
	for _, n := range e.Remove {
		parts = append(parts, "remove "+n)
	}
	for _, h := range e.Set {
		parts = append(parts, fmt.Sprintf("set %s: %s", h.Name, h.Value))
	}
	for _, h := range e.Add {
		parts = append(parts, fmt.Sprintf("add %s: %s", h.Name, h.Value))
	}
	return strings.Join(parts, ", ")
}

func location(r *ir.Redirect, step change) string {
	scheme, host, port := step.request.Scheme, step.request.Host, ""
	if r.Scheme != "" {
		scheme = r.Scheme
	}
	if r.Hostname != "" {
		host = r.Hostname
	}
	switch {
	case r.Port != 0 && !(r.Port == 80 && scheme == "http" || r.Port == 443 && scheme == "https"):
		port = fmt.Sprintf(":%d", r.Port)
	case r.Port == 0 && r.Scheme == "" && step.request.Port != 0:
		port = fmt.Sprintf(":%d", step.request.Port)
	}
	return scheme + "://" + host + port + edited(r.Path, step)
}

func rewrite(r *ir.Rewrite, step change) string {
	var parts []string
	if r.Hostname != "" {
		parts = append(parts, "host "+r.Hostname)
	}
	if r.Path != nil {
		parts = append(parts, "path "+edited(r.Path, step))
	}
	return strings.Join(parts, ", ")
}

// edited is the path after an edit, for a person to read.
func edited(p *ir.PathEdit, step change) string {
	switch {
	case p == nil:
		return step.path
	case p.Full != nil:
		return *p.Full
	case p.Prefix != nil && step.match.Kind == ir.Prefix:
		rest := strings.TrimPrefix(strings.TrimPrefix(step.path, step.match.Value), "/")
		return strings.TrimSuffix(*p.Prefix, "/") + "/" + rest
	}
	return step.path
}
