package gatewayapi

import (
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
)

func (b *ruleBuilder) requestHeaders(f *gatewayv1.HTTPRouteFilter, field string) *ir.Filter {
	if f.RequestHeaderModifier == nil {
		return b.empty(field, f.Type)
	}
	return &ir.Filter{RequestHeaders: b.headerEdit(f.RequestHeaderModifier, field+".requestHeaderModifier")}
}

func (b *ruleBuilder) responseHeaders(f *gatewayv1.HTTPRouteFilter, field string) *ir.Filter {
	if f.ResponseHeaderModifier == nil {
		return b.empty(field, f.Type)
	}
	return &ir.Filter{ResponseHeaders: b.headerEdit(f.ResponseHeaderModifier, field+".responseHeaderModifier")}
}

// headerEdit writes a header modifier. Of two entries of a list for one header
// the first counts, as the specification has it; what stands in several lists
// is removed, then set, then added to.
func (b *ruleBuilder) headerEdit(f *gatewayv1.HTTPHeaderFilter, field string) *ir.HeaderEdit {
	edit := &ir.HeaderEdit{Set: b.headers(f.Set, field+".set"), Add: b.headers(f.Add, field+".add")}
	seen := map[string]bool{}
	for i, name := range f.Remove {
		b.headerName(name, item(field+".remove", i))
		if lower := strings.ToLower(name); !seen[lower] {
			seen[lower] = true
			edit.Remove = append(edit.Remove, name)
		}
	}
	return edit
}

func (b *ruleBuilder) headers(list []gatewayv1.HTTPHeader, field string) []ir.Header {
	var made []ir.Header
	seen := map[string]bool{}
	for i, h := range list {
		at := item(field, i)
		b.headerName(string(h.Name), at+".name")
		if !fieldValue.MatchString(h.Value) {
			b.refuse(at+".value", "%s cannot be sent as a header's value; it is not empty, and has no control characters and no space at its ends", quote(h.Value))
		}
		if lower := strings.ToLower(string(h.Name)); !seen[lower] {
			seen[lower] = true
			made = append(made, ir.Header{Name: string(h.Name), Value: h.Value})
		}
	}
	return made
}

func (b *ruleBuilder) headerName(name, field string) {
	switch lower := strings.ToLower(name); {
	case !token.MatchString(name):
		b.refuse(field, "%s is no header's name; use letters, digits and -", quote(name))
	case lower == "host":
		b.refuse(field, "the Host header is changed by a URLRewrite filter's hostname; use that")
	case slices.Contains(framing, lower):
		b.refuse(field, "%s belongs to the connection, and only the proxy may change it; remove it", name)
	}
}

// framing are the headers that say where a message ends or belong to one hop.
var framing = []string{
	"connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
}
