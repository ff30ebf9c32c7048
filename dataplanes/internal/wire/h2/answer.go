package h2

import (
	"errors"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// write writes an answer. Where nothing of it could be sent, another is put in
// its place.
func (sv *serving) write(p *exchange.Response) error {
	if p.Close {
		sv.session.drain()
	}
	err := sv.compose(p)
	if err == nil {
		return nil
	}
	if !sv.substitute(err) {
		sv.breakOff(err)
	}
	return err
}

func (sv *serving) compose(p *exchange.Response) error {
	if p.Tunnel != nil {
		return sv.tunnel(p)
	}
	if p.Status < 200 {
		return errUnasked
	}
	if !writable(p.Header) {
		return errUnwritable
	}
	out := &sv.head.out
	*out = headOut{status: p.Status, header: p.Header, length: -1, date: true}
	empty := noContent(sv.head.request.Method, p.Status)
	if p.Length > 0 || p.Length == 0 && p.Status != 304 || p.Length >= 0 && p.Body == nil && !empty {
		out.length = p.Length
	}
	if p.Status == 204 || p.Length == 0 && sv.head.request.GRPC {
		out.length = -1
	}
	switch {
	case empty || p.Body == nil || p.Length == 0 && p.Trailer == nil:
		out.end = true
		return sv.writeHead(*out)
	case p.Length < 0:
		// A stream's reader may wait for its head, and its writer for the stream.
		sv.streams()
		if err := sv.writeHead(*out); err != nil {
			return err
		}
		return sv.copyBody(p, nil)
	default:
		return sv.copyBody(p, out)
	}
}

// streams lets the client be silent from now on: what it is sent may be what it
// waits for.
func (sv *serving) streams() {
	sv.link.mu.Lock()
	defer sv.link.mu.Unlock()
	sv.patient = true
}

// substitute answers with a status alone, and reports whether that was possible.
func (sv *serving) substitute(err error) bool {
	l := sv.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if sv.begun || sv.dead != nil || sv.localEnd || l.out.err != nil {
		return false
	}
	sv.status = 502
	var why exchange.Refusal
	if errors.As(err, &why) && why.StatusCode() >= 500 {
		sv.status = why.StatusCode()
	}
	sv.appendHead(headOut{status: sv.status, length: 0, end: true, date: true})
	l.kick()
	return true
}

// breakOff resets a stream whose answer is not whole: the client must see that.
func (sv *serving) breakOff(err error) {
	why := errSource
	if !errors.Is(err, errSource) && (!errors.As(err, &why) || why.Scope != OfStream) {
		why = errSource
	}
	l := sv.link
	l.mu.Lock()
	defer l.mu.Unlock()
	sv.reset(why)
}
