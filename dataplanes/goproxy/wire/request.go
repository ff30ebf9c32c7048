package wire

import (
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy/pace"
)

// incoming is a request as the door reads it.
type incoming exchange.Incoming

// read turns a request of net/http into one that may pass, or says why not.
func (s *Server) read(r *http.Request) incoming {
	conn, _ := r.Context().Value(connKey{}).(*exchange.Conn)
	in := incoming{Conn: conn, Request: &exchange.Request{
		Method: r.Method, Scheme: scheme(conn), Authority: r.Host, Host: host(r.Host),
		Proto: r.ProtoMajor, Client: conn.Client, Port: conn.Local.Port(), Length: r.ContentLength,
	}}
	for _, check := range []func(*Server, *http.Request, *incoming){
		(*Server).readMethod, (*Server).readHost, (*Server).readTarget, (*Server).readHeader, (*Server).readBody,
	} {
		check(s, r, &in)
	}
	return in
}

func (in *incoming) refuse(status int, reason string) {
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

// host returns the host of an authority as tables compare it; empty where the
// authority is more or less than a host and its port (RFC 9110, section 7.2).
func host(authority string) string {
	end := strings.IndexByte(authority, ':')
	if strings.HasPrefix(authority, "[") {
		end = strings.IndexByte(authority, ']') + 1
	}
	name, rest := authority, ""
	if end >= 0 {
		name, rest = authority[:end], authority[end:]
	}
	if literal, ok := strings.CutPrefix(name, "["); ok {
		name = strings.TrimSuffix(literal, "]")
		if !validLiteral(name) {
			return ""
		}
	} else if !validName(name) {
		return ""
	}
	if port, hasPort := strings.CutPrefix(rest, ":"); rest != "" && (!hasPort || !validPort(port)) {
		return ""
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// validLiteral says whether what stands in brackets is an IPv6 address.
func validLiteral(name string) bool {
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.Is6() && addr.Zone() == ""
}

func validPort(port string) bool {
	if len(port) < 1 || len(port) > 5 || strings.Trim(port, "0123456789") != "" {
		return false
	}
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil
}

// readMethod refuses CONNECT, which would make the proxy an open one, and TRACE,
// which would show clients what the proxy adds to their requests.
func (s *Server) readMethod(r *http.Request, in *incoming) {
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		in.refuse(http.StatusMethodNotAllowed, "bad_method")
	}
}

// readTarget normalises the path. All that comes after reads that one.
func (s *Server) readTarget(r *http.Request, in *incoming) {
	raw, query, hasQuery := target(r)
	in.Request.Query, in.Request.HasQuery = query, hasQuery
	if !validQuery(query) {
		in.Request.Query, in.Request.HasQuery = "", false
		in.refuse(http.StatusBadRequest, "bad_query")
	}
	if raw == "*" && r.Method == http.MethodOptions {
		in.Request.Path = raw
		return
	}
	path, err := s.config.Slashes.Normalise(raw)
	if err != nil {
		in.Request.Path = "/"
		in.refuse(http.StatusBadRequest, "bad_path")
		return
	}
	in.Request.Path = path
}

// validQuery refuses what a request line cannot hold, such as the space that
// HTTP/2 lets pass: a backend of HTTP/1.1 would read its own method, target and
// version (RFC 3986, section 3.4).
func validQuery(query string) bool {
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	return true
}

func (s *Server) readHost(_ *http.Request, in *incoming) {
	if in.Request.Host == "" {
		in.refuse(http.StatusBadRequest, "bad_host")
	}
}

// target splits the request's target as it came.
func target(r *http.Request) (path, query string, hasQuery bool) {
	return strings.Cut(r.RequestURI, "?")
}

// validName lets through what a name or an IPv4 address is made of. What is in
// the authority goes into redirects and logs.
func validName(name string) bool {
	for i := range len(name) {
		c := name[i]
		isWord := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !isWord && strings.IndexByte("-._%~!$&'()*+,;=", c) < 0 {
			return false
		}
	}
	return name != ""
}

func (s *Server) readHeader(r *http.Request, in *incoming) {
	size, count := headerSize(r)
	if limit := s.config.Limits.RequestHeaderBytes; limit > 0 && size > limit {
		in.refuse(http.StatusRequestHeaderFieldsTooLarge, "header_too_large")
	}
	if limit := s.config.Limits.RequestHeaderCount; limit > 0 && count > limit {
		in.refuse(http.StatusRequestHeaderFieldsTooLarge, "too-many-fields")
	}
	in.Request.Header = endToEnd(r.Header)
	if wantsTrailers(r.Header) {
		in.Request.Header.Add("Te", "trailers")
	}
	in.Request.GRPC = isGRPC(r.Header.Get("Content-Type"))
	in.Request.Trailer = announced(r.Trailer)
}

// headerSize counts the request line and the fields as HTTP/1.1 writes them.
func headerSize(r *http.Request) (size, count int) {
	size = len(r.Method) + len(r.RequestURI) + len(r.Proto) + len(r.Host) + 12
	for name, values := range r.Header {
		for _, v := range values {
			size += len(name) + len(v) + 4
		}
		count += len(values)
	}
	return size, count
}

func isGRPC(contentType string) bool {
	rest, ok := strings.CutPrefix(contentType, "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// readBody bounds the body. A length that is over the limit is refused before
// a byte of it is asked for (Expect: 100-continue).
func (s *Server) readBody(r *http.Request, in *incoming) {
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

// How far a body has been read.
const (
	bodyUntouched = iota
	bodyBegun
	bodyWhole
)

// requestBody reads a body up to the limit, and fills the trailer at its end.
type requestBody struct {
	from    *http.Request
	trailer *exchange.Header
	// stall is nil where a client may be silent.
	stall *stall
	pace  pace.Pace
	// got counts what was read.
	got      int64
	progress atomic.Int32
	// left is -1 for no bound.
	left int64
}

var _ io.ReadCloser = (*requestBody)(nil)

// Read reads the body, at most one byte past its limit.
func (b *requestBody) Read(p []byte) (int, error) {
	if b.left >= 0 && int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.read(p)
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

func (b *requestBody) read(p []byte) (int, error) {
	b.progress.CompareAndSwap(bodyUntouched, bodyBegun)
	began := time.Now()
	if b.stall != nil {
		b.stall.begin(&b.stall.reads)
	}
	n, err := b.from.Body.Read(p)
	if b.stall != nil && b.stall.done(&b.stall.reads) && err != nil || b.tooSlow(began, n) {
		err = exchange.ErrStalled
	}
	b.got += int64(n)
	if err == io.EOF || b.got == b.from.ContentLength { //nolint:errorlint // A reader's io.EOF is never wrapped.
		b.progress.Store(bodyWhole)
	}
	return n, err
}

// tooSlow judges a client that was waited for since a time.
func (b *requestBody) tooSlow(since time.Time, n int) bool {
	return b.pace.On() && !b.stall.listens() && b.pace.Waited(time.Since(since), n)
}

// Close closes the body.
func (b *requestBody) Close() error { return b.from.Body.Close() }
