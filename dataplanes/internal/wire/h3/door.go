package h3

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/field"
)

// door reads one request, or says why it may not pass.
type door struct {
	config  *Config
	about   *exchange.Conn
	client  netip.AddrPort
	request *http.Request
	stall   *stall
	interim *interim

	in exchange.Incoming
	// expects is true for a client that waits for 100 (Continue).
	expects bool
	// key is the Sec-WebSocket-Key that we ask a backend with; empty but for a
	// WebSocket.
	key string
}

func (d *door) read() *exchange.Incoming {
	r := d.request
	d.in = exchange.Incoming{Conn: d.about, Request: &exchange.Request{
		Method: r.Method, Scheme: "https", Authority: r.Host,
		Proto: 3, Client: d.client, Port: d.about.Local.Port(), Length: r.ContentLength,
	}}
	for _, check := range []func(*door){
		(*door).readMethod, (*door).readHost, (*door).readTarget, (*door).readHeader, (*door).readWebSocket, (*door).readBody,
	} {
		check(d)
	}
	return &d.in
}

func (d *door) refuse(status int, reason string) {
	if d.in.Refused == 0 {
		d.in.Refused, d.in.Reason = status, reason
	}
}

// readMethod refuses CONNECT, which would make the proxy an open one, and TRACE,
// which would show clients what the proxy adds to their requests.
func (d *door) readMethod() {
	switch r := d.request; {
	case d.extended():
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		d.refuse(http.StatusMethodNotAllowed, "bad_method")
	}
}

// extended is true for a CONNECT that names a protocol (RFC 9220). For those
// quic-go writes it where the version stands otherwise.
func (d *door) extended() bool {
	return d.request.Method == http.MethodConnect && !strings.HasPrefix(d.request.Proto, "HTTP/")
}

func (d *door) readHost() {
	host, _, err := field.SplitAuthority(d.request.Host)
	if err != nil {
		d.refuse(http.StatusBadRequest, "bad_host")
		return
	}
	d.in.Request.Host = field.CanonicalHost(host)
}

// readTarget normalises the path. All that comes after reads that one.
func (d *door) readTarget() {
	q := d.in.Request
	raw, query, hasQuery := strings.Cut(d.request.RequestURI, "?")
	q.Path = "/"
	if !field.All(query, field.InTarget) {
		// A backend of HTTP/1.1 would read its own method, target and version.
		d.refuse(http.StatusBadRequest, "bad_query")
		query, hasQuery = "", false
	}
	q.Query, q.HasQuery = query, hasQuery
	switch {
	case d.in.Refused != 0 && d.request.Method == http.MethodConnect:
		// The target of a plain CONNECT is no path.
		return
	case raw == "*" && d.request.Method == http.MethodOptions:
		q.Path = raw
		return
	}
	path, err := d.config.Slashes.Normalise(raw)
	if err != nil {
		d.refuse(http.StatusBadRequest, "bad_path")
		return
	}
	q.Path = path
}

// What a header may have at the most, as in HTTP/1.1: fields where the settings
// say nothing, and octets of a name.
// And what a trailer may have.
const mostFields, mostName, mostTrailer = 100, 256, 8 << 10

func (d *door) mostFields() int {
	if most := d.config.Limits.RequestHeaderCount; most > 0 {
		return most
	}
	return mostFields
}

func (d *door) readHeader() {
	r, q := d.request, d.in.Request
	size := sizeOf(r)
	if limit := d.config.Limits.RequestHeaderBytes; limit > 0 && size.octets > limit || size.fields > d.mostFields() || size.name > mostName {
		d.refuse(http.StatusRequestHeaderFieldsTooLarge, "header_too_large")
	}
	var sound bool
	if q.Header, sound = endToEnd(r.Header); !sound {
		d.refuse(http.StatusBadRequest, "bad_header")
	}
	if _, ok := r.Header["Te"]; ok {
		// It has no other value here (RFC 9114, section 4.2).
		q.Header.Add("Te", "trailers")
	}
	d.expects = strings.EqualFold(r.Header.Get("Expect"), "100-continue")
	q.GRPC = isGRPC(r.Header.Get("Content-Type"))
	q.Trailer = announced(r.Trailer)
}

// headerSize is what a header takes: the longest name, and how many octets its
// request line and fields are as HTTP/1.1 writes them.
type headerSize struct{ octets, fields, name int }

func sizeOf(r *http.Request) headerSize {
	size := headerSize{octets: len(r.Method) + len(r.RequestURI) + len(r.Proto) + len(r.Host) + 12}
	size.add(r.Header)
	return size
}

func (s *headerSize) add(fields http.Header) {
	for name, values := range fields {
		s.name = max(s.name, len(name))
		for _, v := range values {
			s.octets += len(name) + len(v) + 4
			s.fields++
		}
	}
}

// holds says whether so much may have fields that come without a request line.
func (s headerSize) holds(fields http.Header) bool {
	var size headerSize
	size.add(fields)
	return size.octets <= s.octets && size.fields <= s.fields && size.name <= s.name
}

func isGRPC(contentType string) bool {
	rest, ok := strings.CutPrefix(contentType, "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// readWebSocket makes the request that asks for a WebSocket in HTTP/1.1, which
// has a key where HTTP/3 has none (RFC 8441, section 5).
func (d *door) readWebSocket() {
	if !d.extended() {
		return
	}
	if !strings.EqualFold(d.request.Proto, "websocket") {
		d.refuse(http.StatusNotImplemented, "bad_method")
		return
	}
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // It never fails (Go 1.24).
	d.key = base64.StdEncoding.EncodeToString(nonce[:])
	q := d.in.Request
	q.Method, q.Upgrade, q.Length = http.MethodGet, "websocket", 0
	q.Trailer, q.GRPC, d.expects = nil, false, false
	q.Header.Set("Sec-Websocket-Key", d.key)
}

// readBody bounds the body. A length that is over the limit is refused before
// a byte of it is asked for (Expect: 100-continue).
func (d *door) readBody() {
	q := d.in.Request
	if q.Upgrade != "" || d.in.Refused != 0 {
		q.Body, q.Length = http.NoBody, 0
		return
	}
	q.Interim = d.interim
	body := &requestBody{
		from: d.request, trailer: q.Trailer, left: d.config.Limits.RequestBodyBytes,
		bound: headerSize{octets: mostTrailer, fields: d.mostFields(), name: mostName},
	}
	if d.expects {
		body.expects = d.interim
	}
	q.Body = body
	if body.left <= 0 {
		body.left = -1
	} else if q.Length > body.left {
		d.refuse(http.StatusRequestEntityTooLarge, "body_too_large")
	}
	if q.Length < 0 && seldomHasBody(q.Method) {
		d.lookAhead(body)
	}
	if !q.GRPC {
		body.stall = d.stall
	}
}

// seldomHasBody says which requests are looked at for whether they have a body:
// the end of a stream is not part of its header, and backends of HTTP/1.1 would
// otherwise be told that one follows. Others may wait for an answer before they
// send any of theirs.
func seldomHasBody(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodDelete:
		return true
	}
	return false
}

// lookAhead waits for the first of a body, or its end, for as long as a header
// may take: clients that have no body end their stream with the header.
func (d *door) lookAhead(body *requestBody) {
	if bound := time.Duration(d.config.Timeouts.RequestHeader); bound > 0 {
		_ = d.stall.control.SetReadDeadline(time.Now().Add(bound))
		defer d.stall.control.SetReadDeadline(time.Time{}) //nolint:errcheck // The stream has gone then.
	}
	switch empty, err := body.peek(); {
	case err != nil:
		d.refuse(http.StatusRequestTimeout, "slow_body")
	case empty:
		d.in.Request.Length = 0
	}
}
