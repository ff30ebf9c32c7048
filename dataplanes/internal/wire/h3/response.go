package h3

import (
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

var buffers = sync.Pool{New: func() any {
	b := make([]byte, 32<<10)
	return &b
}}

var errBroken = errors.New("the client has taken a part of a response before this one")

// outgoing is a response on its way to a client.
type outgoing struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	request  *http.Request
	response *exchange.Response
	stall    *stall
	interim  *interim
	// key is what a WebSocket was asked for with; empty but for one.
	key string
}

// end is called when the handler ends, however it does.
func (o *outgoing) end() {
	o.stall.end()
	if o.response != nil {
		o.stall.afterwards()
	}
}

// finish sends the response, and tells what became of it.
func (o *outgoing) finish(answer exchange.Answer) {
	// The response is another's once either of them was closed.
	body, backend := o.response.Body, o.response.Tunnel
	sent := o.send()
	answer.Ender.Done(sent)
	if body != nil {
		body.Close()
	}
	if backend != nil {
		backend.Close()
	}
	if sent.Err != nil {
		// Clients must see that the response is not whole.
		panic(http.ErrAbortHandler)
	}
}

func (o *outgoing) send() exchange.Sent {
	if !o.interim.end() {
		return exchange.Sent{Err: errBroken}
	}
	if o.response.Tunnel != nil {
		return o.tunnel()
	}
	if o.key != "" && o.response.Status/100 == 2 {
		// In HTTP/1.1 this is a refusal, and to the client it would be a WebSocket.
		return o.noWebSocket()
	}
	o.writeHeader(o.response.Status)
	n, err := o.copyBody()
	if err == nil {
		o.writeTrailer()
	}
	return exchange.Sent{Bytes: n, Err: err}
}

func (o *outgoing) writeHeader(status int) {
	h := o.w.Header()
	for _, f := range o.response.Header {
		// Quic-go writes some of it after the response has ended, and its strings
		// with it.
		name := strings.Clone(textproto.CanonicalMIMEHeaderKey(f.Name))
		h[name] = append(h[name], strings.Clone(f.Value))
	}
	if _, typed := h["Content-Type"]; !typed {
		// Nil keeps quic-go from guessing one.
		h["Content-Type"] = nil
	}
	if length := o.response.Length; length >= 0 && o.mayHaveLength() {
		h["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	}
	o.w.WriteHeader(status)
}

// mayHaveLength follows RFC 9110, section 8.6. A 304 and the answer to HEAD
// speak of a body that is not there, so they have one only if it is known.
func (o *outgoing) mayHaveLength() bool {
	switch status := o.response.Status; {
	case status < 200 || status == http.StatusNoContent || o.response.Tunnel != nil:
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
		// Quic-go would add the length of what was not written.
		return 0, o.flush()
	}
	if o.response.Body == nil {
		return 0, nil
	}
	streaming := o.response.Length < 0
	if streaming {
		o.stall.listen()
		if err := o.flush(); err != nil {
			return 0, err
		}
	}
	return o.copy(streaming)
}

func (o *outgoing) copy(flush bool) (sent int64, err error) {
	buffer := buffers.Get().(*[]byte) //nolint:errcheck,forcetypeassert // The pool holds nothing else.
	defer buffers.Put(buffer)
	for {
		n, err := o.response.Body.Read(*buffer)
		if n > 0 {
			written, werr := o.write((*buffer)[:n], flush)
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

// flush writes the header.
func (o *outgoing) flush() error {
	_, err := o.stall.write(nil, func([]byte) (int, error) { return 0, o.control.Flush() })
	return err
}

func (o *outgoing) write(piece []byte, flush bool) (int, error) {
	return o.stall.write(piece, func(p []byte) (int, error) {
		n, err := o.w.Write(p)
		if err == nil && flush {
			err = o.control.Flush()
		}
		return n, err
	})
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
