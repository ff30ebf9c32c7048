package parity

import "slices"

// filters are those of a rule, and whether it redirects.
func (c chance) filters(prefixed bool) (all []any, redirects bool) {
	if c.often(3) {
		all = append(all, c.headerFilter("RequestHeaderModifier", "requestHeaderModifier"))
	}
	if c.often(3) {
		all = append(all, c.headerFilter("ResponseHeaderModifier", "responseHeaderModifier"))
	}
	if c.often(1) {
		all = append(all, c.cors())
	}
	switch c.IntN(8) {
	case 0:
		all, redirects = append(all, c.redirect(prefixed)), true
	case 1, 2:
		all = append(all, c.rewrite(prefixed))
	}
	// Their order is their author's.
	for i := range all {
		j := c.IntN(i + 1)
		all[i], all[j] = all[j], all[i]
	}
	return all, redirects
}

// awkward are values of fields that mean something to one proxy's configuration or
// another's.
var awkward = []string{
	"plain", "two words", "a,b", "%[src]", "%ci", "100%", "${HOME}", "$HOME", `back\slash`, `\n`, "#hash", "a # b", `"quoted"`, "it's",
	"a if TRUE", "{curly}", "[brackets]", "%REQ(x)%", "%%", "a;b", "<tag>", "(paren", "tab\tinside", "/slash/", "&and", "*",
}

func (c chance) headerFilter(kind, field string) map[string]any {
	edit, names := map[string]any{}, []string{"X-A", "x-b", "X-New", "X-Other", "User-Agent"}
	take := func() string {
		i := c.IntN(len(names))
		name := names[i]
		names = slices.Delete(names, i, i+1)
		return name
	}
	for _, what := range []string{"set", "add"} {
		if c.often(5) {
			edit[what] = []any{map[string]any{"name": take(), "value": one(c, awkward...)}}
		}
	}
	if c.often(4) || len(edit) == 0 {
		edit["remove"] = []any{take()}
	}
	return map[string]any{"type": kind, field: edit}
}

func (c chance) pathEdit(prefixed bool) map[string]any {
	if prefixed && c.often(6) {
		return map[string]any{"type": "ReplacePrefixMatch", "replacePrefixMatch": one(c, "/", "/new", "/new/", "/n/e/w", "/%20", "/$x", "/a%2Bb")}
	}
	return map[string]any{"type": "ReplaceFullPath", "replaceFullPath": one(c, "/", "/full", "/full/path", "/f%20", "/a$b")}
}

func (c chance) redirect(prefixed bool) map[string]any {
	r := map[string]any{"statusCode": one(c, 301, 302, 303, 307, 308)}
	if c.often(3) {
		r["scheme"] = one(c, "http", "https")
	}
	if c.often(3) {
		r["hostname"] = one(c, "new.example", "a.example")
	}
	if c.often(3) {
		r["port"] = one(c, 80, 443, 8080)
	}
	if c.often(5) {
		r["path"] = c.pathEdit(prefixed)
	}
	return map[string]any{"type": "RequestRedirect", "requestRedirect": r}
}

func (c chance) rewrite(prefixed bool) map[string]any {
	r := map[string]any{}
	if c.often(5) {
		r["hostname"] = one(c, "inside.example", "one.default.svc")
	}
	if c.often(7) || len(r) == 0 {
		r["path"] = c.pathEdit(prefixed)
	}
	return map[string]any{"type": "URLRewrite", "urlRewrite": r}
}

func (c chance) cors() map[string]any {
	cors := map[string]any{"allowOrigins": []any{one(c, "https://www.example", "https://*.example", "*")}}
	if c.often(5) {
		cors["allowMethods"] = []any{one(c, "GET", "PUT")}
	}
	if c.often(3) {
		cors["allowHeaders"] = []any{one(c, "X-A", "content-type")}
	}
	if c.often(3) {
		cors["exposeHeaders"] = []any{"X-Other"}
	}
	if c.often(3) {
		cors["allowCredentials"] = true
	}
	return map[string]any{"type": "CORS", "cors": cors}
}
