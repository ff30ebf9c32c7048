package wire

import (
	"io"
	"net"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
	"github.com/sluice-gateway/sluice/ir/requestpath"
)

// read turns a request of net/http into one that may pass, or says why not.
func (s *Server) read(r *http.Request) Incoming {
	conn, _ := r.Context().Value(connKey{}).(*exchange.Conn)
	in := Incoming{Conn: conn, Request: &exchange.Request{
		Method: r.Method, Scheme: scheme(conn), Authority: r.Host, Host: host(r.Host),
		Proto: r.ProtoMajor, Client: conn.Client, Port: conn.Local.Port(), Length: r.ContentLength,
	}}
	for _, check := range []func(*Server, *http.Request, *Incoming){
		(*Server).readMethod, (*Server).readHost, (*Server).readTarget, (*Server).readHeader, (*Server).readBody,
	} {
		check(s, r, &in)
	}
	return in
}

func (in *Incoming) refuse(status int, reason string) {
	if in.Refused == 0 {
		in.Refused, in.Reason = status, reason
	}
}

func scheme(c *exchange.Conn) string {
	if c.TLS {
		return "https"
	}
	return "http"
}

// host returns the host of an authority as tables compare it.
func host(authority string) string {
	h := authority
	if name, _, err := net.SplitHostPort(authority); err == nil {
		h = name
	}
	h = strings.TrimSuffix(strings.TrimPrefix(h, "["), "]")
	return lower(strings.TrimSuffix(h, "."))
}

// lower knows ASCII alone: Unicode's lower case would make a Kelvin sign a "k",
// and another host's name out of what is no host name at all.
func lower(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
		return s
	}
	return strings.ToLower(s)
}

// readMethod refuses CONNECT, which would make the proxy an open one, and TRACE,
// which would show clients what the proxy adds to their requests.
func (s *Server) readMethod(r *http.Request, in *Incoming) {
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		in.refuse(http.StatusMethodNotAllowed, "bad_method")
	}
}

// readTarget normalises the path. All that comes after reads that one.
func (s *Server) readTarget(r *http.Request, in *Incoming) {
	raw, query, hasQuery := target(r)
	in.Request.Query, in.Request.HasQuery = query, hasQuery
	if raw == "*" && r.Method == http.MethodOptions {
		in.Request.Path = raw
		return
	}
	path, err := requestpath.Normalise(raw)
	if err != nil {
		in.Request.Path = "/"
		in.refuse(http.StatusBadRequest, "bad_path")
		return
	}
	in.Request.Path = path
}

func (s *Server) readHost(_ *http.Request, in *Incoming) {
	if !validHost(in.Request.Host) {
		in.refuse(http.StatusBadRequest, "bad_host")
	}
}

// target splits the request's target as it came. An absolute form has its
// authority in r.Host already (RFC 9112, section 3.2.2).
func target(r *http.Request) (path, query string, hasQuery bool) {
	rest := r.RequestURI
	if _, after, absolute := strings.Cut(rest, "://"); absolute && !strings.HasPrefix(rest, "/") {
		rest = ""
		if i := strings.IndexAny(after, "/?"); i >= 0 {
			rest = after[i:]
		}
	}
	return strings.Cut(rest, "?")
}

// validHost lets through what a name or an address is made of. What is in the
// authority goes into redirects and logs.
func validHost(host string) bool {
	for i := range len(host) {
		c := host[i]
		isWord := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !isWord && !strings.ContainsRune("-._:%~!$&'()*+,;=", rune(c)) {
			return false
		}
	}
	return host != ""
}

func (s *Server) readHeader(r *http.Request, in *Incoming) {
	if limit := s.config.Limits.RequestHeaderBytes; limit > 0 && headerSize(r) > limit {
		in.refuse(http.StatusRequestHeaderFieldsTooLarge, "header_too_large")
	}
	in.Request.Upgrade = upgrade(r)
	in.Request.Header = endToEnd(r.Header)
	if wantsTrailers(r.Header) {
		in.Request.Header.Add("Te", "trailers")
	}
	in.Request.GRPC = isGRPC(r.Header.Get("Content-Type"))
	in.Request.Trailer = announced(r.Trailer)
}

// headerSize counts the request line and the fields as HTTP/1.1 writes them.
func headerSize(r *http.Request) int {
	size := len(r.Method) + len(r.RequestURI) + len(r.Proto) + len(r.Host) + 12
	for name, values := range r.Header {
		for _, v := range values {
			size += len(name) + len(v) + 4
		}
	}
	return size
}

func isGRPC(contentType string) bool {
	rest, ok := strings.CutPrefix(contentType, "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// readBody bounds the body. A length that is over the limit is refused before
// a byte of it is asked for (Expect: 100-continue).
func (s *Server) readBody(r *http.Request, in *Incoming) {
	body := &requestBody{from: r, trailer: in.Request.Trailer, left: s.config.Limits.RequestBodyBytes}
	in.Request.Body = body
	if body.left <= 0 {
		body.left = -1
		return
	}
	if r.ContentLength > body.left {
		in.refuse(http.StatusRequestEntityTooLarge, "body_too_large")
	}
}

// requestBody reads a body up to the limit, and fills the trailer at its end.
type requestBody struct {
	from    *http.Request
	trailer *exchange.Header
	// left is -1 for no bound.
	left int64
}

var _ io.ReadCloser = (*requestBody)(nil)

// Read reads the body, at most one byte past its limit.
func (b *requestBody) Read(p []byte) (int, error) {
	if b.left >= 0 && int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.from.Body.Read(p)
	if b.left >= 0 {
		if int64(n) > b.left {
			n = int(b.left)
			b.left = 0
			return n, exchange.ErrBodyTooLarge
		}
		b.left -= int64(n)
	}
	if err == io.EOF && b.trailer != nil { //nolint:errorlint // A reader's io.EOF is never wrapped.
		*b.trailer = allowedTrailers(b.from.Trailer)
	}
	return n, err
}

// Close closes the body.
func (b *requestBody) Close() error { return b.from.Body.Close() }
