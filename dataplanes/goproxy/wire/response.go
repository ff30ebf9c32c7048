package wire

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
)

// serve is one request's way in and its response's way out.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	in := s.read(r)
	doubt := inDoubt(r)
	if doubt {
		in.refuse(http.StatusBadRequest, "bad_framing")
	}
	control := http.NewResponseController(w)
	out := &outgoing{w: w, control: control, request: r, stall: &stall{control: control, bound: time.Duration(s.config.Timeouts.Stall)}}
	defer out.end()
	body := in.Request.Body.(*requestBody) //nolint:errcheck,forcetypeassert // read has put it there.
	if !in.Request.GRPC {
		body.stall = out.stall
	}
	answer := s.config.Handler.Serve(r.Context(), in)
	if doubt || s.holders.retired.Load() || in.Request.Upgrade != "" && answer.Response.Tunnel == nil {
		// What the client sent after its request may have been meant for a tunnel.
		answer.Response.Close = true
	}
	out.response = answer.Response
	out.settle(body)
	sent := s.send(r.Context(), out)
	answer.Done(sent)
	if sent.Err != nil {
		// Clients must see that the response is not whole. Of a tunnel that came to
		// nothing, net/http would make a 200.
		panic(http.ErrAbortHandler)
	}
}

// outgoing is a response on its way to a net/http client.
type outgoing struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	request  *http.Request
	response *exchange.Response
	stall    *stall
	// buffered is true where net/http may hold some of the body still.
	buffered bool
}

// settle prepares for an answer that comes before the end of the request's body
// over HTTP/1.1. Net/http reads on to the end of a body that nobody has begun,
// and closes the connection if that fails or takes too much. A body that is
// still being read ends the connection, whatever becomes of it: nobody could
// say where the next request begins.
func (o *outgoing) settle(body *requestBody) {
	if o.request.ProtoMajor > 1 || o.response.Tunnel != nil || o.request.ContentLength == 0 {
		return
	}
	switch body.progress.Load() {
	case bodyUntouched:
		o.stall.hurry(o.control.SetReadDeadline)
	case bodyBegun:
		_ = o.control.EnableFullDuplex()
		o.response.Close = true
	}
}

// end is called when the handler ends, however it does.
func (o *outgoing) end() {
	o.stall.end()
	if o.response != nil && o.response.Tunnel == nil {
		o.stall.afterwards(o.request, o.buffered)
	}
}

func (s *Server) send(ctx context.Context, out *outgoing) Sent {
	if out.response.Tunnel != nil {
		return s.tunnel(ctx, out)
	}
	out.writeHeader()
	if out.response.Body == nil {
		return Sent{}
	}
	defer out.response.Body.Close()
	n, err := out.copyBody()
	if err == nil {
		out.writeTrailer()
	}
	return Sent{Bytes: n, Err: err}
}

func (o *outgoing) writeHeader() {
	h := o.w.Header()
	for _, f := range o.response.Header {
		name := textproto.CanonicalMIMEHeaderKey(f.Name)
		h[name] = append(h[name], f.Value)
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
	if o.request.ProtoMajor > 1 {
		o.stall.begin(&o.stall.writes)
		defer o.stall.done(&o.stall.writes)
	}
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
		h[name] = append(h[name], f.Value)
	}
}
