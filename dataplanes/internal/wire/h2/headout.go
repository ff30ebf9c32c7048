package h2

import (
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/field"
)

// headOut is the head of an answer as it is written.
type headOut struct {
	status int
	header exchange.Header
	// length is written if it is not below 0.
	length int64
	end    bool
	date   bool
}

// writeHead sends a head by itself.
func (sv *serving) writeHead(out headOut) error {
	l := sv.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := sv.mayWrite(); err != nil {
		return err
	}
	sv.appendHead(out)
	l.kick()
	return nil
}

// mayWrite waits for room.
func (sv *serving) mayWrite() error {
	_, err := sv.allowance(0)
	return err
}

// appendHead appends a head. The caller holds the lock.
func (sv *serving) appendHead(out headOut) {
	l := sv.link
	sv.begun = out.status >= 200
	b := l.out.room()
	at := len(b)
	b = append(b, make([]byte, frameHeader)...)
	b = l.enc.begin(b)
	b = appendStatus(&l.enc, b, out.status)
	for i := range out.header {
		f := &out.header[i]
		if field.KindOf(f.Name) == field.Plain {
			b = l.enc.field(b, f.Name, f.Value)
		}
	}
	if out.length >= 0 && out.status >= 200 {
		b = appendLength(&l.enc, b, out.length)
	}
	if _, dated := out.header.Get("date"); out.date && !dated {
		b = l.enc.field(b, "date", dateNow())
	}
	f := frame{stream: sv.id}
	if out.end {
		f.flags = http2.FlagHeadersEndStream
	}
	l.out.buf = sealBlock(b, at, f, int(l.peer.frame))
	l.patience.earn(0)
	if out.end {
		sv.endLocal()
	}
}

func appendStatus(e *encoder, dst []byte, status int) []byte {
	if status < 100 || status > 599 {
		status = 502
	}
	text := [3]byte{byte('0' + status/100), byte('0' + status/10%10), byte('0' + status%10)}
	return e.field(dst, ":status", string(text[:]))
}

func appendLength(e *encoder, dst []byte, n int64) []byte {
	var text [20]byte
	return e.field(dst, "content-length", string(strconv.AppendInt(text[:0], n, 10)))
}

// writable looks at every octet of a header: a filter or the configuration may
// have put it there.
func writable(header exchange.Header) bool {
	for i := range header {
		if !field.IsToken(header[i].Name) || !field.ValidValue(header[i].Value) {
			return false
		}
	}
	return true
}

// noContent reports whether the answer with a status to a method ends with its
// head.
func noContent(method string, status int) bool {
	return method == "HEAD" || status == 204 || status == 304
}

// date is a Date field's value of one second.
type date struct {
	second int64
	text   string
}

var lastDate atomic.Pointer[date]

func dateNow() string {
	now := time.Now()
	d := lastDate.Load()
	if d == nil || d.second != now.Unix() {
		d = &date{second: now.Unix(), text: now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")}
		lastDate.Store(d)
	}
	return d.text
}

// appendTrailer appends fields that may stand behind content.
func (l *link) appendTrailer(b []byte, id uint32, trailer exchange.Header) []byte {
	at := len(b)
	b = append(b, make([]byte, frameHeader)...)
	b = l.enc.begin(b)
	for i := range trailer {
		f := &trailer[i]
		if field.Lookalike(f.Name) == field.Plain {
			b = l.enc.field(b, f.Name, f.Value)
		}
	}
	return sealBlock(b, at, frame{stream: id, flags: http2.FlagHeadersEndStream}, int(l.peer.frame))
}
