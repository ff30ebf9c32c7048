package h2

import (
	"io"
	"slices"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/field"
)

// sendable looks at every octet of a request: a filter or the configuration may
// have put it there.
func sendable(q *exchange.Request) bool {
	if !field.IsToken(q.Method) || !field.All(q.Path, field.InTarget) || !field.All(q.Query, field.InTarget) {
		return false
	}
	if _, _, err := field.SplitAuthority(q.Authority); err != nil {
		return false
	}
	return q.Method != "CONNECT" && writable(q.Header)
}

// appendRequest appends the head of a request. The caller holds the lock.
func (b *backend) appendRequest(cl *calling) {
	q := cl.request
	out := b.out.room()
	at := len(out)
	out = append(out, make([]byte, frameHeader)...)
	out = b.enc.begin(out)
	out = b.appendPseudo(out, cl)
	for i := range q.Header {
		f := &q.Header[i]
		switch field.KindOf(f.Name) {
		case field.Plain:
			if !cl.socket || !field.Folds(f.Name, "sec-websocket-key") {
				out = b.enc.field(out, f.Name, f.Value)
			}
		case field.TE:
			if field.Folds(f.Value, "trailers") {
				out = b.enc.field(out, "te", "trailers")
			}
		}
	}
	if !cl.socket && (q.Length > 0 || q.Length == 0 && field.ExpectsLength(q.Method)) {
		out = appendLength(&b.enc, out, q.Length)
	}
	if q.Length != 0 && q.Trailer != nil && len(*q.Trailer) > 0 {
		out = b.enc.field(out, "trailer", announcement(*q.Trailer))
	}
	f := frame{stream: cl.id}
	if !cl.socket && q.Length == 0 {
		f.flags = http2.FlagHeadersEndStream
		cl.localEnd = true
	}
	b.out.buf = sealBlock(out, at, f, int(b.peer.frame))
	b.patience.earn(0)
}

func announcement(trailer exchange.Header) string {
	names := make([]string, len(trailer))
	for i := range trailer {
		names[i] = trailer[i].Name
	}
	return strings.Join(names, ", ")
}

func (b *backend) appendPseudo(out []byte, cl *calling) []byte {
	q, method := cl.request, cl.request.Method
	if cl.socket {
		method = "CONNECT"
	}
	out = b.enc.field(out, ":method", method)
	if cl.socket {
		out = b.enc.field(out, ":protocol", webSocket)
	}
	scheme := "http"
	if b.pool.TLS {
		scheme = "https"
	}
	out = b.enc.field(out, ":scheme", scheme)
	out = b.enc.field(out, ":authority", q.Authority)
	path := q.Path
	if path == "" {
		path = "/"
	}
	if q.HasQuery || q.Query != "" {
		path += "?" + q.Query
	}
	return b.enc.field(out, ":path", path)
}

// head takes a field block of a backend's.
func (b *backend) head(block *fieldBlock) *Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.streams[block.stream]
	switch {
	case s != nil && s.remoteEnd:
		return errStreamClosed
	case s != nil && s.calling.headed:
		return s.responseTrailer(block)
	case s != nil:
		return s.calling.head(block)
	case b.isIdle(block.stream):
		return errIdleStream
	case b.closed.how(block.stream) == byEnd:
		return errEnded
	default:
		return b.pay(costFrame)
	}
}

// head reads the head of a response.
func (cl *calling) head(block *fieldBlock) *Error {
	if block.over != nil {
		return ofStream(http2.ErrCodeProtocol, "backend-"+block.over.Reason)
	}
	p := &cl.response
	*p = exchange.Response{Length: -1, Header: cl.store[:0]}
	for i := range block.fields {
		if err := cl.add(&block.fields[i]); err != nil {
			return err
		}
	}
	switch {
	case p.Status == 0:
		return errStatus
	case p.Status == 101:
		return errStatus
	case p.Status < 200 && block.end:
		return errStatus
	case p.Status < 200:
		return cl.hint()
	}
	return cl.complete(block.end)
}

// hint keeps what comes before the final response for the caller to hand on: the
// reader of the connection waits for no client.
func (cl *calling) hint() *Error {
	if cl.interim++; cl.interim > mostInterim {
		return errInterim
	}
	if p := &cl.response; cl.request.Interim != nil && p.Status > 100 {
		cl.hints = append(cl.hints, exchange.Response{Status: p.Status, Header: slices.Clone(p.Header)})
		cl.cond.Broadcast()
	}
	return nil
}

// handOn sends the hints that have come, without the lock.
func (cl *calling) handOn() {
	hints := cl.hints
	cl.hints = nil
	cl.link.mu.Unlock()
	defer cl.link.mu.Lock()
	for _, p := range hints {
		cl.request.Interim.Send(p.Status, p.Header)
	}
}

// mostInterim bounds the responses before the final one.
const mostInterim = 16

func (cl *calling) add(f *hpack.HeaderField) *Error {
	p := &cl.response
	if strings.HasPrefix(f.Name, ":") {
		if f.Name != ":status" || p.Status != 0 || len(p.Header) > 0 || len(f.Value) != 3 {
			return errStatus
		}
		status, ok := parseLength(f.Value)
		if !ok || status < 100 || status > 599 {
			return errStatus
		}
		p.Status = int(status)
		return nil
	}
	if _, err := checkField(f); err != nil {
		return err
	}
	switch field.KindOf(f.Name) {
	case field.Connection, field.Coding, field.Upgrade:
		return errHopByHop
	case field.Length:
		n, ok := parseLength(f.Value)
		if !ok || p.Length >= 0 && p.Length != n {
			return errLength
		}
		p.Length = n
	case field.Plain:
		p.Header = append(p.Header, exchange.Field{Name: f.Name, Value: f.Value})
	}
	return nil
}

// complete hands a response on whose head is whole.
func (cl *calling) complete(end bool) *Error {
	p := &cl.response
	cl.length = p.Length
	if noContent(cl.request.Method, p.Status) {
		cl.length = 0
		if p.Status == 204 {
			p.Length = 0
		}
	} else if end && p.Length < 0 {
		p.Length = 0
	}
	if end && cl.length > 0 {
		return errLengthBroken
	}
	cl.headed = true
	cl.cond.Broadcast()
	p.Body = cl
	if !end {
		p.Trailer = &cl.gotTrailer
		return nil
	}
	return cl.endRemote()
}

// responseTrailer takes the fields behind a response's content.
func (s *stream) responseTrailer(block *fieldBlock) *Error {
	if !block.end {
		return errTrailerOpen
	}
	trailer, err := readTrailer(block)
	if err != nil {
		return err
	}
	s.trailer = trailer
	return s.endRemote()
}

// mayConnect gives the place back on a connection whose backend knows no extended
// CONNECT (RFC 8441, section 3).
func (b *backend) mayConnect() error {
	b.mu.Lock()
	may := b.peer.connect
	b.mu.Unlock()
	if !may {
		b.giveUp()
		return errNoConnect
	}
	return nil
}

// upgraded makes of the answer to an extended CONNECT what HTTP/1.1 would have
// answered, so that filters and clients see one kind of it.
func (cl *calling) upgraded() *exchange.Response {
	p := &cl.response
	if p.Status < 200 || p.Status > 299 {
		return p
	}
	key, _ := cl.request.Header.Get("sec-websocket-key")
	p.Header.Set("sec-websocket-accept", webSocketAccept(key))
	p.Status, p.Length, p.Trailer = 101, 0, nil
	p.Body, p.Tunnel = exchange.NoBody{}, &backendTunnel{calling: cl}
	return p
}

// backendTunnel is a backend's side of a stream after an extended CONNECT.
type backendTunnel struct{ *calling }

var _ io.ReadWriteCloser = (*backendTunnel)(nil)

// Read reads what the backend sends, until the time of the exchange is over.
func (t *backendTunnel) Read(p []byte) (int, error) { return t.calling.Read(p) }

// Write sends to the backend.
func (t *backendTunnel) Write(p []byte) (int, error) {
	if err := t.send(p, false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// CloseWrite ends our side alone.
func (t *backendTunnel) CloseWrite() error { return t.send(nil, true) }
