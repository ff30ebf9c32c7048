package wire

import (
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy/pace"
)

var buffers = sync.Pool{New: func() any {
	b := make([]byte, 32<<10)
	return &b
}}

// serve is the way in of one request of HTTP/2, and its response's way out.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	in := s.read(r)
	control := http.NewResponseController(w)
	out := &outgoing{w: w, control: control, request: r, stall: &stall{control: control, bound: time.Duration(s.config.Timeouts.Stall)}}
	defer out.end()
	body := in.Request.Body.(*requestBody) //nolint:errcheck,forcetypeassert // read has put it there.
	if !in.Request.GRPC {
		body.stall = out.stall
		body.pace = pace.Pace{Least: s.config.Limits.MinBodyBytesPerSecond, Grace: out.stall.bound}
	}
	answer := s.Serve(r.Context(), exchange.Incoming(in))
	out.response = answer.Response
	sent := out.send()
	answer.Ender.Done(sent)
	if out.response.Body != nil {
		out.response.Body.Close()
	}
	if sent.Err != nil {
		// Clients must see that the response is not whole.
		panic(http.ErrAbortHandler)
	}
}

// outgoing is a response on its way to a client of HTTP/2.
type outgoing struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	request  *http.Request
	response *exchange.Response
	stall    *stall
	// buffered is true where net/http may hold some of the body still.
	buffered bool
}

// end is called when the handler ends, however it does.
func (o *outgoing) end() {
	o.stall.end()
	if o.response != nil {
		o.stall.afterwards(o.buffered)
	}
}

func (o *outgoing) send() exchange.Sent {
	if o.response.Tunnel != nil {
		// HTTP/2 has no such answer.
		o.response.Tunnel.Close()
		return exchange.Sent{Err: errTunnel}
	}
	o.writeHeader()
	if o.response.Body == nil {
		return exchange.Sent{}
	}
	n, err := o.copyBody()
	if err == nil {
		o.writeTrailer()
	}
	return exchange.Sent{Bytes: n, Err: err}
}

var errTunnel = errors.New("a change of protocol was not asked for")

func (o *outgoing) writeHeader() {
	h := o.w.Header()
	for _, f := range o.response.Header {
		// Net/http writes some of it after the response has ended, and its strings
		// with it.
		name := strings.Clone(textproto.CanonicalMIMEHeaderKey(f.Name))
		h[name] = append(h[name], strings.Clone(f.Value))
	}
	if _, typed := h["Content-Type"]; !typed {
		// Nil keeps net/http from guessing one.
		h["Content-Type"] = nil
	}
	if o.response.Close {
		// On HTTP/2, net/http turns this into GOAWAY.
		h["Connection"] = []string{"close"}
	}
	if length := o.response.Length; length >= 0 && o.mayHaveLength() {
		h["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	}
	o.w.WriteHeader(o.response.Status)
}

// mayHaveLength follows RFC 9110, section 8.6. A 304 and the answer to HEAD
// speak of a body that is not there, so they have one only if it is known.
func (o *outgoing) mayHaveLength() bool {
	switch status := o.response.Status; {
	case status < 200 || status == http.StatusNoContent:
		return false
	case status == http.StatusNotModified || o.request.Method == http.MethodHead:
		return o.response.Length > 0
	default:
		return true
	}
}

// copyBody streams. A body of unknown length may be a stream whose reader waits
// for each piece, so nothing of it is held back, the header included.
func (o *outgoing) copyBody() (int64, error) {
	if o.request.Method == http.MethodHead {
		return 0, nil
	}
	streaming := o.response.Length < 0
	o.buffered = !streaming
	if streaming {
		o.stall.listen()
		if err := o.control.Flush(); err != nil {
			return 0, err
		}
	}
	buffer := buffers.Get().(*[]byte) //nolint:errcheck,forcetypeassert // The pool holds nothing else.
	defer buffers.Put(buffer)
	var sent int64
	for {
		n, err := o.response.Body.Read(*buffer)
		if n > 0 {
			written, werr := o.write((*buffer)[:n], streaming)
			sent += int64(written)
			if werr != nil {
				return sent, werr
			}
		}
		if errors.Is(err, io.EOF) {
			return sent, nil
		}
		if err != nil {
			return sent, err
		}
	}
}

func (o *outgoing) write(piece []byte, flush bool) (int, error) {
	o.stall.begin(&o.stall.writes)
	defer o.stall.done(&o.stall.writes)
	n, err := o.w.Write(piece)
	if err == nil && flush {
		err = o.control.Flush()
	}
	return n, err
}

func (o *outgoing) writeTrailer() {
	if o.response.Trailer == nil {
		return
	}
	h := o.w.Header()
	for _, f := range *o.response.Trailer {
		name := http.TrailerPrefix + textproto.CanonicalMIMEHeaderKey(f.Name)
		h[name] = append(h[name], strings.Clone(f.Value))
	}
}
