package h2

import (
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/field"
)

// settle makes the request of a head that is well-formed.
func (sv *serving) settle(b *fieldBlock) *Error {
	h, q, about := sv.head, &sv.head.request, sv.session.about
	q.Method, q.Scheme, q.Proto = h.method.value, "http", 2
	if about.TLS {
		q.Scheme = "https"
	}
	q.Words, q.Interim = &h.words, sv
	q.Client, q.Peer, q.Port = about.Client, about.Client.Addr(), about.Local.Port()
	if h.cookies > 1 {
		h.joinCookies()
	}
	q.Header = h.fields
	contentType, _ := q.Header.Get("content-type")
	q.GRPC = field.IsGRPC(contentType)
	q.Body, q.Length = exchange.NoBody{}, 0
	if !b.end {
		sv.length = h.length
		sv.gotTrailer = announced(h.announced)
		q.Body, q.Length, q.Trailer = sv, h.length, &sv.gotTrailer
	} else if h.length > 0 {
		return errLengthBroken
	}
	if err := h.target(q, sv.session.server); err != nil {
		return err
	}
	if h.scheme.set && !field.Folds(h.scheme.value, "http") && !field.Folds(h.scheme.value, "https") {
		return errScheme
	}
	return sv.demands(b)
}

// demands reads what a client asks of the exchange beyond an answer.
func (sv *serving) demands(b *fieldBlock) *Error {
	h, q := sv.head, &sv.head.request
	if max := b.limits.BodyBytes; max > 0 && q.Length > max {
		return errTooLarge
	}
	if h.expect.set {
		if !field.Folds(h.expect.value, "100-continue") {
			return errExpect
		}
		sv.expects = !b.end
	}
	// A call may be silent for as long as it likes.
	sv.patient = q.GRPC
	if q.Method == "TRACE" {
		return errNotAllowed
	}
	if q.Method != "CONNECT" {
		return nil
	}
	// What follows are the octets of a tunnel (RFC 9113, section 8.5).
	sv.length, q.Length = -1, -1
	switch {
	case !h.protocol.set:
		return errNotAllowed
	case !field.Folds(h.protocol.value, webSocket):
		return errProtocol
	}
	return sv.asWebSocket()
}

// joinCookies makes one field of the crumbs of a cookie, as HTTP/1.1 and what is
// behind it expect (RFC 9113, section 8.2.3).
func (h *requestHead) joinCookies() {
	var crumbs []string
	kept, at := h.fields[:0], -1
	for _, f := range h.fields {
		if f.Name != "cookie" {
			kept = append(kept, f)
			continue
		}
		if crumbs = append(crumbs, f.Value); at < 0 {
			at = len(kept)
			kept = append(kept, f)
		}
	}
	clear(h.fields[len(kept):])
	kept[at].Value = strings.Join(crumbs, "; ")
	h.fields = kept
}

// announced returns the names of the trailers to come, without values. Some
// backends take no others.
func announced(list string) exchange.Header {
	var names exchange.Header
	for list != "" {
		var name string
		name, list, _ = strings.Cut(list, ",")
		if name = field.Trim(name); field.IsToken(name) && field.Lookalike(name) == field.Plain && len(names) < mostAnnounced {
			names = append(names, exchange.Field{Name: name})
		}
	}
	return names
}

const mostAnnounced = 16

// readTrailer reads the fields behind the content. What must not come there (RFC
// 9110, section 6.5.1) is left out, unless framing depends on it.
func readTrailer(b *fieldBlock) (exchange.Header, *Error) {
	if b.over != nil {
		return nil, errTrailer
	}
	var trailer exchange.Header
	for i := range b.fields {
		f := &b.fields[i]
		if strings.HasPrefix(f.Name, ":") {
			return nil, errPseudoLate
		}
		if _, err := checkField(f); err != nil {
			return nil, err
		}
		if len(f.Name) > b.limits.NameBytes {
			return nil, errTrailer
		}
		switch k := field.Lookalike(f.Name); {
		case k == field.Plain:
			trailer = append(trailer, exchange.Field{Name: f.Name, Value: f.Value})
		case k < field.Guarded:
			return nil, errTrailer
		}
	}
	return trailer, nil
}
