package h1

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/field"
)

// ErrUnwritable says that a message cannot be written, because a field that a
// filter or the configuration put there would change its framing.
var ErrUnwritable error = errUnwritable

// AppendRequest appends the head of a request to dst: in origin form, with Host
// and the framing that Length asks for (-1 is chunked). Fields that the codec
// writes itself, and all that end at this hop, are left out of Header.
func AppendRequest(dst []byte, q *exchange.Request) ([]byte, error) {
	if !field.IsToken(q.Method) || q.Method == "CONNECT" || !field.All(q.Path, field.InTarget) || !field.All(q.Query, field.InTarget) {
		return dst, ErrUnwritable
	}
	if _, _, err := field.SplitAuthority(q.Authority); err != nil {
		return dst, ErrUnwritable
	}
	dst = append(append(dst, q.Method...), ' ')
	dst = appendTarget(dst, q)
	dst = append(append(dst, " HTTP/1.1\r\nHost: "...), q.Authority...)
	dst = append(dst, "\r\n"...)
	dst, err := appendFields(dst, q.Header)
	if err != nil {
		return dst, err
	}
	switch {
	case q.Upgrade != "":
		dst = appendUpgrade(dst, q.Upgrade)
	case q.Length < 0:
		dst = append(dst, chunkedField...)
	case q.Length > 0 || field.ExpectsLength(q.Method):
		dst = appendLength(dst, q.Length)
	}
	return append(dst, "\r\n"...), nil
}

func appendTarget(dst []byte, q *exchange.Request) []byte {
	if q.Path == "" {
		dst = append(dst, '/')
	}
	dst = append(dst, q.Path...)
	if q.HasQuery || q.Query != "" {
		dst = append(append(dst, '?'), q.Query...)
	}
	return dst
}

const chunkedField = "Transfer-Encoding: chunked\r\n"

func appendLength(dst []byte, n int64) []byte {
	dst = append(dst, "Content-Length: "...)
	return append(strconv.AppendInt(dst, n, 10), "\r\n"...)
}

func appendUpgrade(dst []byte, protocol string) []byte {
	dst = append(append(dst, "Connection: Upgrade\r\nUpgrade: "...), protocol...)
	return append(dst, "\r\n"...)
}

// appendFields appends what may be sent on of a header. It looks at every octet
// again: a filter or the configuration may have put it there.
func appendFields(dst []byte, header exchange.Header) ([]byte, error) {
	for i := range header {
		f := &header[i]
		if !field.IsToken(f.Name) || !field.ValidValue(f.Value) {
			return dst, ErrUnwritable
		}
		if field.KindOf(f.Name) != field.Plain {
			continue
		}
		dst = append(append(dst, f.Name...), ": "...)
		dst = append(append(dst, f.Value...), "\r\n"...)
	}
	return dst, nil
}

// ResponseOutput is what the head of a response depends on.
type ResponseOutput struct {
	Response *exchange.Response
	// Method and Minor are those of the request.
	Method string
	Minor  int
	// Close announces that the connection ends. To a client of HTTP/1.0, which
	// expects that, the opposite is announced.
	Close bool
	// Upgrade is the protocol that 101 changes to.
	Upgrade string
	// Now is for Date, where the response has none (RFC 9110, section 6.6.1).
	Now time.Time
}

// Framing returns how the content will be framed. UntilClose means that the
// connection must be closed.
func (o *ResponseOutput) Framing() Framing {
	p := o.Response
	switch {
	case NoContent(o.Method, p.Status) || p.Body == nil || p.Length == 0:
		return NoBody
	case p.Length > 0:
		return Sized
	case o.Minor == 0:
		return UntilClose
	default:
		return Chunked
	}
}

// AppendResponse appends the head of a response to dst.
func AppendResponse(dst []byte, o *ResponseOutput) ([]byte, error) {
	p := o.Response
	dst, err := appendFields(appendStatusLine(dst, p.Status), p.Header)
	if err != nil {
		return dst, err
	}
	if _, dated := p.Header.Get("Date"); !dated && p.Status >= 200 {
		dst = appendDate(dst, o.Now)
	}
	switch o.Framing() {
	case Sized:
		dst = appendLength(dst, p.Length)
	case Chunked:
		dst = append(dst, chunkedField...)
	case NoBody:
		dst = o.appendNoBody(dst)
	}
	switch {
	case o.Upgrade != "":
	case o.Close:
		dst = append(dst, "Connection: close\r\n"...)
	case o.Minor == 0:
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	return append(dst, "\r\n"...), nil
}

// appendNoBody says how long the content would be for HEAD and 304, and that
// there is none elsewhere; 1xx and 204 must not say it (RFC 9110, section 8.6).
func (o *ResponseOutput) appendNoBody(dst []byte) []byte {
	p := o.Response
	switch {
	case o.Upgrade != "":
		return appendUpgrade(dst, o.Upgrade)
	case p.Status < 200 || p.Status == 204:
		return dst
	case p.Status == 304 && p.Length > 0, o.Method == "HEAD" && p.Length >= 0:
		return appendLength(dst, p.Length)
	case p.Status == 304 || o.Method == "HEAD":
		return dst
	default:
		return append(dst, "Content-Length: 0\r\n"...)
	}
}

var statusLines = makeStatusLines()

func makeStatusLines() (lines [600]string) {
	for status := range lines {
		if text := http.StatusText(status); text != "" {
			lines[status] = "HTTP/1.1 " + strconv.Itoa(status) + " " + text + "\r\n"
		}
	}
	return lines
}

func appendStatusLine(dst []byte, status int) []byte {
	if status < 100 || status >= len(statusLines) {
		status = 502
	}
	if line := statusLines[status]; line != "" {
		return append(dst, line...)
	}
	dst = strconv.AppendInt(append(dst, "HTTP/1.1 "...), int64(status), 10)
	return append(dst, " \r\n"...)
}

// date is a Date field of one second.
type date struct {
	second int64
	field  string
}

var lastDate atomic.Pointer[date]

func appendDate(dst []byte, now time.Time) []byte {
	second := now.Unix()
	d := lastDate.Load()
	if d == nil || d.second != second {
		d = &date{second: second, field: "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"}
		lastDate.Store(d)
	}
	return append(dst, d.field...)
}

// chunkRoom is how much the size of a chunk takes up before it, and the end of
// it behind.
const (
	chunkRoom = 10
	chunkTail = 2
)

// sealChunk makes a chunk of n octets of content that lie chunkRoom behind the
// end of dst.
func sealChunk(dst []byte, n int) []byte {
	at := len(dst)
	whole := dst[:at+chunkRoom+n]
	dst = append(strconv.AppendInt(dst, int64(n), 16), "\r\n"...)
	if len(dst) < at+chunkRoom {
		copy(whole[len(dst):], whole[at+chunkRoom:])
	}
	dst = dst[:len(dst)+n]
	return append(dst, "\r\n"...)
}

// appendLastChunk ends a chunked body. Trailers that must not come after the
// content are left out.
func appendLastChunk(dst []byte, trailer *exchange.Header) ([]byte, error) {
	dst = append(dst, "0\r\n"...)
	if trailer != nil {
		for _, f := range *trailer {
			if !field.IsToken(f.Name) || !field.ValidValue(f.Value) {
				return dst, ErrUnwritable
			}
			if field.Lookalike(f.Name) != field.Plain {
				continue
			}
			dst = append(append(append(dst, f.Name...), ": "...), f.Value...)
			dst = append(dst, "\r\n"...)
		}
	}
	return append(dst, "\r\n"...), nil
}
