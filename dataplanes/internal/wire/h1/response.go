package h1

import (
	"errors"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/field"
)

// ResponseHead reads the heads of responses, one after the other. The zero value
// is not ready: see Reset.
type ResponseHead struct {
	// Response is what was read: its strings lie in the buffer. Body, Trailer and
	// Tunnel are left to others.
	Response exchange.Response
	Framing  Framing
	// Close says that the connection must not be used again.
	Close bool
	// Minor is the minor version, 0 or 1.
	Minor int
	// Upgrade is the lower case protocol that 101 changes to.
	Upgrade string

	head   head
	method string
}

// ResponseInput is what the reading of a response depends on beyond its octets.
type ResponseInput struct {
	Limits *Limits
	// Method is that of the request, which decides whether there is content.
	Method string
}

// Reset prepares for the next response.
func (r *ResponseHead) Reset(in ResponseInput) {
	r.head.adopt(r.Response.Header)
	r.head.reset(in.Limits)
	r.Response = exchange.Response{}
	r.method = in.Method
	r.Framing, r.Close, r.Minor, r.Upgrade = NoBody, false, 0, ""
}

// Parse reads a head at the beginning of buf and returns its length. It returns
// ErrMore while the head is not whole: call it again with the same octets and
// more. Any other error is an *Error with status 502.
func (r *ResponseHead) Parse(buf []byte) (int, error) {
	h := &r.head
	if h.scan.seen > 0 {
		if whole, err := h.scan.complete(buf, h.limits, r); err != nil || !whole {
			return 0, inResponse(orMore(err))
		}
	}
	rest, err := r.message(inPlace(buf))
	if errors.Is(err, ErrMore) {
		h.reset(h.limits)
		_, err = h.scan.complete(buf, h.limits, r)
		return 0, inResponse(orMore(err))
	}
	if err != nil {
		return 0, inResponse(err)
	}
	n := len(buf) - len(rest)
	if n > h.limits.HeadBytes {
		return 0, inResponse(errHead)
	}
	return n, nil
}

func (r *ResponseHead) message(s string) (rest string, err error) {
	line, rest, err := cutLine(s)
	if err != nil {
		return "", err
	}
	if err = r.statusLine(line); err != nil {
		return "", err
	}
	if rest, err = r.head.parseFields(rest); err != nil {
		return "", err
	}
	return rest, r.settle()
}

func (r *ResponseHead) firstLine(line string) error { return r.statusLine(line) }

func (r *ResponseHead) tooLong(int) error { return nil }

// statusLine reads version and status. The reason phrase is checked and
// forgotten; the space before an empty one may be missing, as many backends
// leave it out.
func (r *ResponseHead) statusLine(line string) error {
	if len(line) < 12 || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return errStatusLine
	}
	minor, err := minorVersion(line[:8])
	if err != nil {
		return errStatusLine
	}
	status := 0
	for _, c := range []byte(line[9:12]) {
		if !digit(c) {
			return errStatusLine
		}
		status = status*10 + int(c-'0')
	}
	if status < 100 || status > 599 || !field.ValidValue(line[12:]) {
		return errStatusLine
	}
	r.Minor, r.head.minor, r.Response.Status = minor, minor, status
	return nil
}

// settle decides how the content ends, in the order of RFC 9112, section 6.3.
func (r *ResponseHead) settle() error {
	h, p := &r.head, &r.Response
	p.Header, r.Close = h.fields, h.closes()
	p.Length = -1
	if h.hasLength {
		p.Length = h.length
	}
	switch {
	case p.Status == 101:
		return r.switching()
	case NoContent(r.method, p.Status):
		r.withoutContent()
	case h.chunked:
		r.Framing = Chunked
	case !h.hasLength:
		r.Framing, r.Close = UntilClose, true
	case h.length > 0:
		r.Framing = Sized
	}
	return nil
}

// withoutContent is for what has none whatever its fields say. A length or a
// coding in 1xx or 204, which must not have one (RFC 9112, section 6.1), says
// that the backend may send content all the same.
func (r *ResponseHead) withoutContent() {
	p, h := &r.Response, &r.head
	if p.Status >= 200 && p.Status != 204 {
		return
	}
	p.Length = 0
	if h.chunked || h.length > 0 {
		r.Close = true
	}
}

func (r *ResponseHead) switching() error {
	h := &r.head
	if h.upgrades != 1 || !h.optUpgr || h.chunked || h.length > 0 || r.Minor == 0 {
		return errUpgrade
	}
	r.Upgrade, r.Close = asciiLower(h.upgrade), true
	return nil
}

func asciiLower(s string) string {
	if field.Folds(s, "websocket") {
		return "websocket"
	}
	return strings.ToLower(s)
}

// NoContent reports whether the answer with a status to a method ends with its
// head, whatever its fields say (RFC 9112, section 6.3).
func NoContent(method string, status int) bool {
	return method == "HEAD" || status < 200 || status == 204 || status == 304
}
