package h2

import (
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/field"
)

// requestHead is what is needed to read a request's fields. It is pooled.
type requestHead struct {
	request exchange.Request
	fields  exchange.Header
	words   exchange.Words
	out     headOut

	method, scheme, path, authority, protocol optional
	host                                      optional
	cookies                                   int
	announced                                 string
	expect                                    optional
	length                                    int64
	late                                      bool
}

// optional is a field that may come once.
type optional struct {
	value string
	set   bool
}

func (o *optional) put(value string) bool {
	if o.set {
		return false
	}
	o.value, o.set = value, true
	return true
}

func (h *requestHead) reset() {
	fields := h.fields
	if cap(h.request.Header) > cap(fields) {
		fields = h.request.Header
	}
	fields = fields[:cap(fields)]
	clear(fields)
	words := h.words
	words.Reset()
	*h = requestHead{fields: fields[:0], words: words, length: -1}
}

// read turns a field block into a request. An error of the request's scope is
// answered; any other means that it is malformed (RFC 9113, section 8.1.1).
func (sv *serving) read(b *fieldBlock) *Error {
	h := sv.head
	h.length = -1
	why := b.over
	for i := range b.fields {
		if err := h.add(&b.fields[i], b.limits); err != nil {
			if err.Scope != OfRequest {
				return err
			}
			why = firstOf(why, err)
		}
	}
	if err := h.complete(); err != nil {
		if err.Scope != OfRequest {
			return err
		}
		why = firstOf(why, err)
	}
	if err := sv.settle(b); err != nil {
		if err.Scope != OfRequest {
			return err
		}
		why = firstOf(why, err)
	}
	return why
}

func firstOf(a, b *Error) *Error {
	if a != nil {
		return a
	}
	return b
}

func (h *requestHead) add(f *hpack.HeaderField, limits *Limits) *Error {
	if strings.HasPrefix(f.Name, ":") {
		return h.pseudo(f)
	}
	h.late = true
	odd, err := checkField(f)
	if err != nil {
		return err
	}
	switch k := field.KindOf(f.Name); {
	case len(f.Name) > limits.NameBytes:
		return errLongName
	case k != field.Plain:
		return h.special(k, f)
	case odd:
		if drop, err := judgeLookalike(f.Name); drop {
			return err
		}
	case f.Name == "cookie":
		h.cookies++
	}
	if len(h.fields)-max(h.cookies-1, 0) >= limits.Fields {
		return errFields
	}
	h.fields = append(h.fields, exchange.Field{Name: f.Name, Value: f.Value})
	return nil
}

func (h *requestHead) pseudo(f *hpack.HeaderField) *Error {
	if h.late {
		return errPseudoLate
	}
	var to *optional
	switch f.Name {
	case ":method":
		to = &h.method
	case ":scheme":
		to = &h.scheme
	case ":path":
		to = &h.path
	case ":authority":
		to = &h.authority
	case ":protocol":
		to = &h.protocol
	default:
		return errPseudo
	}
	if !field.ValidValue(f.Value) {
		return errFieldValue
	}
	if !to.put(f.Value) {
		return errPseudoTwice
	}
	return nil
}

// checkField holds a field to RFC 9113, section 8.2.1. odd says that its name
// has "_" or "." in it.
func checkField(f *hpack.HeaderField) (odd bool, _ *Error) {
	if !field.IsToken(f.Name) {
		return false, errFieldName
	}
	for i := 0; i < len(f.Name); i++ {
		switch c := f.Name[i]; {
		case c >= 'A' && c <= 'Z':
			return false, errFieldName
		case c == '_' || c == '.':
			odd = true
		}
	}
	v := f.Value
	if !field.ValidValue(v) || v != "" && (space(v[0]) || space(v[len(v)-1])) {
		return false, errFieldValue
	}
	return odd, nil
}

func space(c byte) bool { return c == ' ' || c == '\t' }

// judgeLookalike says whether a name is taken off because backends may take it
// for another, and whether the request is refused for it.
func judgeLookalike(name string) (drop bool, err *Error) {
	switch field.Lookalike(name) {
	case field.Host, field.Length, field.Coding, field.Connection:
		return true, errName
	case field.Hop, field.Guarded, field.Upgrade, field.Expect, field.Trailer, field.TE:
		return true, nil
	default:
		return false, nil
	}
}

// special takes a field that means something to the codec. Those of the
// connection make a message malformed (RFC 9113, section 8.2.2).
func (h *requestHead) special(k field.Kind, f *hpack.HeaderField) *Error {
	switch k {
	case field.Connection, field.Coding, field.Upgrade:
		return errHopByHop
	case field.TE:
		if !field.Folds(f.Value, "trailers") {
			return errHopByHop
		}
		h.fields = append(h.fields, exchange.Field{Name: "te", Value: "trailers"})
	case field.Host:
		if !h.host.put(f.Value) {
			return errHostDisagrees
		}
	case field.Length:
		return h.contentLength(f.Value)
	case field.Expect:
		if !h.expect.put(f.Value) {
			return errExpect
		}
	case field.Trailer:
		h.announced = f.Value
	case field.Hop:
		if f.Name == "keep-alive" || f.Name == "proxy-connection" {
			return errHopByHop
		}
	}
	return nil
}

func (h *requestHead) contentLength(value string) *Error {
	n, ok := parseLength(value)
	if !ok || h.length >= 0 {
		return errLength
	}
	h.length = n
	return nil
}

func parseLength(value string) (n int64, ok bool) {
	// 18 digits are the most that never overflow.
	if value == "" || len(value) > 18 {
		return 0, false
	}
	for i := 0; i < len(value); i++ {
		if value[i] < '0' || value[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(value[i]-'0')
	}
	return n, true
}

// complete checks which pseudo-header fields are there (RFC 9113, section 8.3.1
// and 8.5; RFC 8441, section 4).
func (h *requestHead) complete() *Error {
	tunnel := h.method.value == "CONNECT"
	plain := tunnel && !h.protocol.set
	switch {
	case !h.method.set || h.method.value == "":
		return errPseudoMissing
	case h.protocol.set && !tunnel:
		return errPseudo
	case plain && (h.scheme.set || h.path.set || !h.authority.set):
		return errPseudo
	case !plain && (!h.scheme.set || !h.path.set || h.path.value == ""):
		return errPseudoMissing
	case h.protocol.set && !h.authority.set:
		return errPseudoMissing
	case h.host.set && h.authority.set && !field.SameAuthority(h.authority.value, h.host.value, h.scheme.value):
		return errHostDisagrees
	default:
		return h.checkMethod()
	}
}

// checkMethod takes any token without lower case letters, as for HTTP/1.1.
func (h *requestHead) checkMethod() *Error {
	const methodBytes = 32
	m := h.method.value
	if !field.IsToken(m) || len(m) > methodBytes {
		return errMethod
	}
	for i := 0; i < len(m); i++ {
		if m[i] >= 'a' && m[i] <= 'z' {
			return errMethod
		}
	}
	return nil
}

// target reads authority and path.
func (h *requestHead) target(q *exchange.Request, s *Server) *Error {
	authority := h.authority
	if !authority.set {
		authority = h.host
	}
	if !authority.set {
		return errNoHost
	}
	host, port, err := field.SplitAuthority(authority.value)
	if err != nil || h.method.value == "CONNECT" && !h.protocol.set && port == "" {
		return errHost
	}
	q.Authority, q.Host = authority.value, field.CanonicalHost(host)
	if !h.path.set {
		return nil
	}
	return h.readPath(q, s)
}

func (h *requestHead) readPath(q *exchange.Request, s *Server) *Error {
	raw, query, has := strings.Cut(h.path.value, "?")
	q.Path = "/"
	switch {
	case len(h.path.value) > s.limits.TargetBytes:
		return errTarget
	case raw == "*" && h.method.value == "OPTIONS" && !has:
		q.Path = "*"
		return nil
	case raw == "":
		return errPath
	case !field.All(query, field.InTarget):
		return errQuery
	}
	path, err := s.Slashes.Normalise(raw)
	if err != nil {
		return errPath
	}
	q.Path, q.Query, q.HasQuery = path, query, has
	return nil
}
