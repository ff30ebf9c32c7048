package parity

import (
	"slices"
	"strings"
)

// words are what a trial's objects speak of, so that requests meet them.
type words struct {
	paths []string
	// calls is true where there is a GRPCRoute.
	calls bool
}

func wordsOf(objects []object) words {
	w := words{paths: slices.Clone(paths)}
	for _, o := range objects {
		w.calls = w.calls || o.kind() == "GRPCRoute"
		w.collect(o["spec"])
	}
	return w
}

func (w *words) collect(tree any) {
	for _, key := range keysOf(tree) {
		below := at(tree, []any{key})
		if fields, ok := below.(map[string]any); ok && key == "path" {
			if value, ok := fields["value"].(string); ok && fields["type"] != "RegularExpression" {
				w.paths = append(w.paths, value, value, value)
			}
		}
		w.collect(below)
	}
}

// request makes one that is near what the routes match.
func (c chance) request(w words) Request {
	if w.calls && c.often(1) {
		return c.call()
	}
	r := Request{Host: c.host(), Path: c.path(w)}
	if c.often(2) {
		r.Method = one(c, "POST", "PUT", "OPTIONS", "DELETE", "HEAD", "PATCH")
	}
	if r.Method == "POST" || r.Method == "PUT" {
		r.Body = one(c, "", "body", "a longer body\r\nof two lines")
	}
	for _, field := range some(c, 3, "X-A", "x-b", "Cookie", "X-Other", "Origin", "Access-Control-Request-Method") {
		r.Headers = append(r.Headers, c.field(field.(string)))
	}
	switch c.IntN(6) {
	case 0:
		r.Protocol = "h2c"
	case 1:
		r.Scheme = "https"
	case 2:
		r.Scheme, r.Protocol = "https", "h2"
	}
	return r
}

// call is one of gRPC, as far as an HTTP client can make it.
func (c chance) call() Request {
	return Request{
		Host: one(c, "a.example", "b.example"), Path: one(c, "/pkg.S/M", "/pkg.S/N", "/pkg.T/M", "/pkg.S", "/pkg.S/M/x", "/pkg.SS/M"),
		Method: "POST", Protocol: "h2c", Headers: []string{"Content-Type: application/grpc", "Te: trailers"},
		Body: "\x00\x00\x00\x00\x01x",
	}
}

func (c chance) field(name string) string {
	switch name {
	case "Origin":
		return "Origin: " + one(c, "https://www.example", "https://evil.test", "null", "https://a.b.example")
	case "Access-Control-Request-Method":
		return name + ": " + one(c, "GET", "PUT", "PATCH")
	}
	return name + ": " + one(c, values...)
}

func (c chance) host() string {
	host := one(c, "a.example", "b.example", "b.a.example", "c.b.a.example", "example", "other.test", "A.Example")
	if c.often(1) {
		// The scheme's own port is taken off by HAProxy (docs/haproxy.md).
		host += ":8080"
	}
	return host
}

// path changes one that the routes speak of a little.
func (c chance) path(w words) string {
	path := one(c, w.paths...)
	for c.often(3) {
		path = c.bent(path)
	}
	// The suite's client takes two slashes at the beginning for an authority.
	path = "/" + strings.TrimLeft(path, "/")
	if c.often(4) {
		path += "?" + strings.Join(c.query(), "&")
	}
	return path
}

// bent is a path that is spelled or goes on otherwise.
func (c chance) bent(path string) string {
	i := c.between(path)
	switch c.IntN(9) {
	case 0:
		return path + one(c, "/", "x", "/x", "/b", "/..", "/.", "//", "/../a")
	case 1:
		return path[:i] + one(c, "/", "//", "/./", "/../", "%2e", "%2E%2e/", ".") + path[i:]
	case 2:
		return strings.ToUpper(path)
	case 3:
		return strings.TrimSuffix(path, "/") + "/"
	case 4:
		return strings.ReplaceAll(path, "a", one(c, "%61", "%41", "b", ""))
	case 5:
		return "/" + path
	case 6:
		return path[:i] + one(c, "%20", "%C3%BC", "%3F", "%23", "+", "~", "'", "%25", "%7E") + path[i:]
	default:
		return path
	}
}

func (c chance) query() []string {
	var all []string
	for range 1 + c.IntN(3) {
		all = append(all, one(c, "q", "Q", "a+b", "a%20b", "x[]", "x%5B%5D", "%71", "")+one(c, "=", "=", "=", "")+
			one(c, "1", "one", "one+two", "one%20two", "one,two", "a%3Db", "ONE", "", "%2520", "%zz"))
	}
	return all
}

// between returns a place in a path that is not in the middle of an escape: those that
// are broken have cases of their own.
func (c chance) between(path string) int {
	for {
		i := c.IntN(len(path)) + 1
		if !strings.Contains(path[max(0, i-2):i], "%") {
			return i
		}
	}
}
