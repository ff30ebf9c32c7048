package gatewayapi

import (
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
)

func (b *ruleBuilder) redirect(f *gatewayv1.HTTPRouteFilter, field string) *ir.Filter {
	r := f.RequestRedirect
	if r == nil {
		return b.empty(field, f.Type)
	}
	field += ".requestRedirect"
	made := &ir.Redirect{Scheme: orDefault(r.Scheme, ""), Status: orDefault(r.StatusCode, 302)}
	if made.Scheme != "" && made.Scheme != "http" && made.Scheme != "https" {
		b.refuse(field+".scheme", "%s is unknown; use http or https", quote(made.Scheme))
	}
	if !slices.Contains([]int{301, 302, 303, 307, 308}, made.Status) {
		b.refuse(field+".statusCode", "%d is no redirect; use 301, 302, 303, 307 or 308", made.Status)
	}
	if r.Port != nil {
		if *r.Port < 1 || *r.Port > 65535 {
			b.refuse(field+".port", "%d is no port; use 1 to 65535", *r.Port)
		}
		made.Port = uint16(*r.Port)
	}
	made.Hostname = b.preciseHostname(r.Hostname, field+".hostname")
	made.Path = b.pathEdit(r.Path, field+".path")
	return &ir.Filter{Redirect: made}
}

func (b *ruleBuilder) rewrite(f *gatewayv1.HTTPRouteFilter, field string) *ir.Filter {
	if f.URLRewrite == nil {
		return b.empty(field, f.Type)
	}
	field += ".urlRewrite"
	return &ir.Filter{Rewrite: &ir.Rewrite{
		Hostname: b.preciseHostname(f.URLRewrite.Hostname, field+".hostname"),
		Path:     b.pathEdit(f.URLRewrite.Path, field+".path"),
	}}
}

func (b *ruleBuilder) preciseHostname(h *gatewayv1.PreciseHostname, field string) string {
	if h == nil || *h == "" {
		return ""
	}
	host := string(*h)
	if !validHostname(host) || host[0] == '*' {
		b.refuse(field, "%s is no hostname; use a DNS name without a wildcard", quote(host))
	}
	return host
}

// pathEdit writes a change of a path. A prefix can only be replaced where every
// match of the rule has one.
func (b *ruleBuilder) pathEdit(m *gatewayv1.HTTPPathModifier, field string) *ir.PathEdit {
	if m == nil {
		return nil
	}
	switch m.Type {
	case gatewayv1.FullPathHTTPPathModifier:
		return b.fullPath(m, field)
	case gatewayv1.PrefixMatchHTTPPathModifier:
		return b.prefixPath(m, field)
	}
	b.refuse(field+".type", "%q is unknown; use ReplaceFullPath or ReplacePrefixMatch", m.Type)
	return nil
}

func (b *ruleBuilder) fullPath(m *gatewayv1.HTTPPathModifier, field string) *ir.PathEdit {
	if m.ReplaceFullPath == nil {
		b.refuse(field+".replaceFullPath", "type ReplaceFullPath needs it; give the path")
		return nil
	}
	full := *m.ReplaceFullPath
	b.checkReplacement(full, field+".replaceFullPath")
	if full == "" {
		full = "/"
	}
	return &ir.PathEdit{Full: &full}
}

func (b *ruleBuilder) prefixPath(m *gatewayv1.HTTPPathModifier, field string) *ir.PathEdit {
	if m.ReplacePrefixMatch == nil {
		b.refuse(field+".replacePrefixMatch", "type ReplacePrefixMatch needs it; give the new prefix, which may be empty")
		return nil
	}
	for i := range b.rule.Matches {
		if b.rule.Matches[i].Path.Kind != ir.Prefix {
			b.refuse(field+".type", "ReplacePrefixMatch needs matches of type PathPrefix, and %s has another; change the match, or use ReplaceFullPath",
				item(b.field+".matches", i))
			break
		}
	}
	b.checkReplacement(*m.ReplacePrefixMatch, field+".replacePrefixMatch")
	prefix := *m.ReplacePrefixMatch
	if prefix != "" {
		prefix = trimSlash(prefix)
	}
	if prefix == "/" {
		prefix = ""
	}
	return &ir.PathEdit{Prefix: &prefix}
}

func (b *ruleBuilder) checkReplacement(value, field string) {
	if value == "" {
		return
	}
	if why := badPath(value); why != "" {
		b.refuse(field, "%s", why)
	}
}
