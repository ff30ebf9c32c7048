package h1

import (
	"errors"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/field"
	"github.com/sluice-gateway/sluice/ir/requestpath"
)

// RequestHead reads the heads of requests, one after the other. The zero value
// is not ready: see Reset.
type RequestHead struct {
	// Request is what was read: its strings lie in the buffer. Body, Trailer,
	// Peer, Client and Port are left to others.
	Request exchange.Request
	Framing Framing
	// Close says that the connection ends after this request.
	Close bool
	// Continue says that the client waits for 100 before it sends content.
	Continue bool
	// Minor is the minor version, 0 or 1.
	Minor int

	head    head
	https   bool
	slashes requestpath.Slashes
}

// RequestInput is what the reading of a request depends on beyond its octets.
type RequestInput struct {
	Limits *Limits
	// TLS says that the connection is secured, so that an absolute target must be
	// https.
	TLS bool
	// Slashes says what becomes of encoded slashes in a path.
	Slashes requestpath.Slashes
}

// Reset prepares for the next request. Strings that were handed out before stay
// valid as long as their buffer.
func (r *RequestHead) Reset(in RequestInput) {
	r.head.adopt(r.Request.Header)
	r.head.reset(in.Limits)
	r.https, r.slashes = in.TLS, in.Slashes
	r.Request = exchange.Request{}
	r.Framing, r.Close, r.Continue, r.Minor = NoBody, false, false, 0
}

// Parse reads a head at the beginning of buf and returns its length. It returns
// ErrMore while the head is not whole: call it again with the same octets and
// more. Any other error is an *Error, after which the connection is of no more
// use. One empty line before the head is taken as part of it (RFC 9112, section
// 2.2).
func (r *RequestHead) Parse(buf []byte) (int, error) {
	skip := 0
	if len(buf) > 0 && buf[0] == '\r' {
		if len(buf) == 1 {
			return 0, ErrMore
		}
		if buf[1] != '\n' {
			return 0, errRequestLine
		}
		skip = 2
	}
	n, err := r.parse(buf[skip:])
	return n + skip, err
}

func (r *RequestHead) parse(buf []byte) (int, error) {
	h := &r.head
	// What speaks another protocol may never send a line.
	if len(buf) > 0 && !field.In(buf[0], field.InToken) {
		return 0, notToken(buf[0])
	}
	if h.scan.seen > 0 {
		if whole, err := h.scan.complete(buf, h.limits, r); err != nil || !whole {
			return 0, orMore(err)
		}
	}
	rest, err := r.message(inPlace(buf))
	if errors.Is(err, ErrMore) {
		h.reset(h.limits)
		_, err = h.scan.complete(buf, h.limits, r)
		return 0, orMore(err)
	}
	if err != nil {
		return 0, err
	}
	n := len(buf) - len(rest)
	if n > h.limits.HeadBytes {
		return 0, errHead
	}
	return n, nil
}

// orMore returns err, or ErrMore for none.
func orMore(err error) error {
	if err == nil {
		return ErrMore
	}
	return err
}

func (r *RequestHead) message(s string) (rest string, err error) {
	line, rest, err := cutLine(s)
	if err != nil {
		return "", err
	}
	target, err := r.requestLine(line)
	if err != nil {
		return "", err
	}
	if rest, err = r.head.parseFields(rest); err != nil {
		return "", err
	}
	if err = r.target(target); err != nil {
		return "", err
	}
	return rest, r.settle()
}

func (r *RequestHead) firstLine(line string) error {
	_, err := r.requestLine(line)
	// A head that is refused before it is whole may have moved to another buffer
	// by then.
	r.Request.Method = strings.Clone(r.Request.Method)
	return err
}

func (r *RequestHead) tooLong(n int) error {
	if n > methodBytes+r.head.limits.TargetBytes+len("  HTTP/1.1\r\n") {
		return errLongTarget
	}
	return nil
}

func notToken(first byte) error {
	if first == '\n' {
		return errBareLF
	}
	return errMethod
}

// requestLine reads method and version, and returns the target.
func (r *RequestHead) requestLine(line string) (target string, err error) {
	method, rest, _ := strings.Cut(line, " ")
	if err := checkMethod(method); err != nil {
		return "", err
	}
	target, version, ok := strings.Cut(rest, " ")
	if !ok || target == "" {
		return "", errRequestLine
	}
	if r.Minor, err = minorVersion(version); err != nil {
		return "", err
	}
	if len(target) > r.head.limits.TargetBytes {
		return "", errLongTarget
	}
	if !field.All(target, field.InTarget) {
		return "", errTarget
	}
	r.Request.Method, r.head.minor = method, r.Minor
	return target, nil
}

// checkMethod takes any token without lower case letters: methods are case-sensitive
// (RFC 9110, section 9.1), but backends that fold "get" into GET would see
// another request than filters did.
func checkMethod(method string) error {
	if !field.IsToken(method) {
		return errMethod
	}
	if len(method) > methodBytes {
		return errLongMethod
	}
	for i := 0; i < len(method); i++ {
		if field.In(method[i], field.IsLower) {
			return errMethod
		}
	}
	return nil
}

func minorVersion(version string) (int, error) {
	switch {
	case version == "HTTP/1.1":
		return 1, nil
	case version == "HTTP/1.0":
		return 0, nil
	case len(version) == 8 && version[:5] == "HTTP/" && version[6] == '.' && digit(version[5]) && digit(version[7]):
		return 0, errVersion
	default:
		return 0, errRequestLine
	}
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// target reads the four forms of RFC 9112, section 3.2.
func (r *RequestHead) target(target string) error {
	q := &r.Request
	q.Scheme = "http"
	if r.https {
		q.Scheme = "https"
	}
	switch {
	case r.head.hosts == 0:
		return errNoHost
	case q.Method == "CONNECT":
		return r.authority(target)
	case target[0] == '/':
		return r.origin(target, r.head.host)
	case target == "*" && q.Method == "OPTIONS":
		q.Path = "*"
		return r.hostOf(r.head.host)
	default:
		return r.absolute(target)
	}
}

func (r *RequestHead) hostOf(authority string) error {
	host, _, err := field.SplitAuthority(authority)
	if err != nil {
		return errHost
	}
	r.Request.Authority, r.Request.Host = authority, field.CanonicalHost(host)
	return nil
}

// authority is the form of CONNECT, and only of it. The port is not optional.
func (r *RequestHead) authority(target string) error {
	if _, port, err := field.SplitAuthority(target); err != nil || port == "" {
		return errTarget
	}
	if !field.SameAuthority(target, r.head.host, r.Request.Scheme) {
		return r.disagrees()
	}
	return r.hostOf(target)
}

func (r *RequestHead) origin(target, authority string) error {
	q := &r.Request
	raw, query, has := strings.Cut(target, "?")
	path, err := r.slashes.Normalise(raw)
	if err != nil {
		return errPath
	}
	q.Path, q.Query, q.HasQuery = path, query, has
	return r.hostOf(authority)
}

// absolute is the form that clients send to proxies. Its authority is the one
// that counts, and Host must be ignored, though it must be valid (RFC 9112,
// sections 3.2 and 3.2.2).
func (r *RequestHead) absolute(target string) error {
	scheme, rest, ok := strings.Cut(target, "://")
	if !ok || !field.Folds(scheme, "http") && !field.Folds(scheme, "https") {
		return errTarget
	}
	if !field.Folds(scheme, r.Request.Scheme) {
		return errScheme
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority, rest := rest[:end], rest[end:]
	if _, _, err := field.SplitAuthority(authority); err != nil {
		return errHost
	}
	if _, _, err := field.SplitAuthority(r.head.host); err != nil {
		return errHost
	}
	if err := r.origin(rest, authority); err != nil {
		return err
	}
	if rest == "" && r.Request.Method == "OPTIONS" {
		r.Request.Path = "*"
	}
	return nil
}

// disagrees tells an invalid Host from one that differs from the target.
func (r *RequestHead) disagrees() error {
	if _, _, err := field.SplitAuthority(r.head.host); err != nil {
		return errHost
	}
	return errHostDisagrees
}

// settle decides what the head as a whole means.
func (r *RequestHead) settle() error {
	h, q := &r.head, &r.Request
	if h.trailers {
		// gRPC servers insist on it. Writers of HTTP/1.1 leave it out.
		h.fields = append(h.fields, exchange.Field{Name: "Te", Value: "trailers"})
	}
	q.Header, q.Proto, q.Length = h.fields, 1, h.length
	// A client of HTTP/1.0 may ask for persistence (RFC 9112, section 9.3).
	r.Close = h.optClose || r.Minor == 0 && !h.optKeep
	switch {
	case h.chunked:
		r.Framing, q.Length = Chunked, -1
	case h.length > 0:
		r.Framing = Sized
	}
	if max := h.limits.BodyBytes; max > 0 && q.Length > max {
		return errBodyTooLarge
	}
	if r.Framing != NoBody && (q.Method == "CONNECT" || q.Method == "TRACE") {
		return errContent
	}
	contentType, _ := q.Header.Get("Content-Type")
	q.GRPC = field.IsGRPC(contentType)
	if err := r.expectation(); err != nil {
		return err
	}
	return r.upgrade()
}

// expectation reads Expect (RFC 9110, section 10.1.1). HTTP/1.0 has none.
func (r *RequestHead) expectation() error {
	h := &r.head
	if h.expects == 0 {
		return nil
	}
	if h.expects > 1 || !field.Folds(h.expect, "100-continue") {
		return errExpect
	}
	r.Continue = r.Minor == 1 && r.Framing != NoBody
	return nil
}

// upgrade reads Upgrade (RFC 9110, section 7.8). A server may ignore it, and we
// do for lists, and for "h2c", which must not reach a backend. The
// connection is not used again for HTTP, since what a client sends after such a
// request depends on what it thinks that the answer will be.
func (r *RequestHead) upgrade() error {
	h := &r.head
	if h.upgrades == 0 || !h.optUpgr || r.Minor == 0 || !mayUpgrade(h.upgrade) {
		return nil
	}
	if h.upgrades > 1 || r.Request.Method != "GET" || r.Framing != NoBody {
		return errUpgrade
	}
	r.Request.Upgrade, r.Close = asciiLower(h.upgrade), true
	return nil
}

// mayUpgrade takes one protocol, and never HTTP/2 without TLS.
func mayUpgrade(protocol string) bool {
	const h2c = "h2c"
	return field.IsToken(protocol) && (len(protocol) < len(h2c) || !field.Folds(protocol[:len(h2c)], h2c))
}

// admit refuses what the codec can read and no connection serves: CONNECT, which
// would make the proxy an open one, and TRACE, which would show clients what the
// proxy adds to their requests.
func (r *RequestHead) admit() error {
	if r.Request.Method == "CONNECT" || r.Request.Method == "TRACE" {
		return errNotAllowed
	}
	return nil
}

// refused makes a request that can be told about of one that was refused,
// wherever the reading of it has stopped.
func (r *RequestHead) refused() {
	q := &r.Request
	if q.Path == "" {
		q.Path = "/"
	}
	q.Proto, q.Length, q.Upgrade = 1, 0, ""
	r.Framing, r.Close, r.Continue = NoBody, true, false
}

// announced returns the names of the trailers to come, without values.
func (r *RequestHead) announced() exchange.Header {
	var names exchange.Header
	for rest := r.head.trailerNames; rest != ""; {
		var name string
		if name, rest = field.NextItem(rest); field.IsToken(name) && field.Lookalike(name) == field.Plain {
			names.Add(name, "")
		}
	}
	return names
}
