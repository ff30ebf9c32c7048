package upstream

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

// maxConnects bounds how many endpoints a request looks for a connection at
// beyond its tries.
const maxConnects = 10

// maxUnseen bounds how often a request is sent again that was refused unseen,
// where there is no other endpoint.
const maxUnseen = 3

// Call is one request to one backend. The context of Do bounds it as a whole.
type Call struct {
	Backend ir.BackendKey
	Request *exchange.Request
	// Retry is nil where only a connection that could not be made is tried again.
	Retry *ir.Retry
	// Deadline bounds all tries together, the response's body included; the zero
	// time is no bound.
	Deadline time.Time
	// PerTry bounds each try, its response included; 0 is no bound.
	PerTry time.Duration
	// Pinned is the endpoint to prefer, as a session names it; zero for none.
	Pinned ID
}

// Reply is a response and who gave it.
type Reply struct {
	Response *exchange.Response
	// Endpoint is the one that was tried last; not valid where none was.
	Endpoint netip.AddrPort
	// Name is Endpoint's, empty where none was tried.
	Name  string
	ID    ID
	Tries int
}

// Do sends a request and returns the response's beginning; the caller closes
// its body or tunnel. An error is always an *Error; the Reply then still says
// which endpoint was tried last.
//
// A try whose connection failed before anything was sent goes to the next
// endpoint, whatever the method, so that an endpoint that goes away costs no
// request. Anything else is tried again only as Retry says, and only while the
// body can be sent again in full (64 KiB). What a backend of HTTP/2 has refused
// unseen (RFC 9113, section 8.7) is sent again whatever Retry says, to the same
// endpoint where there is no other.
func (p *Pools) Do(ctx context.Context, call Call) (Reply, error) {
	t := begin(call)
	defer t.end()
	if t.pool = p.byKey[call.Backend]; t.pool == nil {
		return Reply{}, t.fail(Unknown, errors.New("not part of the unit"))
	}
	if t.pool.invalid != nil {
		return Reply{}, t.fail(InvalidTLS, t.pool.invalid)
	}
	if err := t.prepare(ctx); err != nil {
		return Reply{}, err
	}
	return t.run(ctx)
}

var someTries = sync.Pool{New: func() any { return &tries{} }}

func begin(call Call) *tries {
	t := someTries.Get().(*tries) //nolint:errcheck,forcetypeassert // The pool holds nothing else.
	t.call = call
	t.call.Request = call.Request.Strained()
	return t
}

// end gives the storage back.
func (t *tries) end() {
	if t.tape != nil {
		t.tape.settle()
	}
	clear(t.tried)
	*t = tries{tried: t.tried[:0]}
	someTries.Put(t)
}

// prepare keeps a body for tries to come, if there can be any that need it: a
// failed connection of HTTP/1.1 has not begun to read it.
func (t *tries) prepare(ctx context.Context) *Error {
	request, protocol := t.call.Request, t.pool.backend.Key.Protocol
	if request.Length == 0 || t.call.Retry == nil && protocol != ir.BackendH2 && protocol != ir.BackendH2C {
		return nil
	}
	if body, ok := request.Body.(exchange.Gatherer); ok {
		if err := body.Gather(t.until(time.Now())); err != nil {
			return t.explain(ctx, err, t.call.Deadline)
		}
	}
	t.tape = newTape(request, maxReplay)
	t.tape.room = t.pool.tapes
	return nil
}

// repeatable says whether the request can be sent again in full.
func (t *tries) repeatable(err *Error) bool {
	if t.tape == nil {
		return t.call.Request.Length == 0 || err != nil && err.Kind == NoConnection
	}
	return t.tape.replayable()
}

// tries is a call under way.
type tries struct {
	call Call
	pool *Pool
	// tape is nil where nothing needs a second reading.
	tape  *tape
	tried []*endpoint
	// connects counts failed connections, spent the tries that Retry allows.
	connects, spent int
	reply           Reply
}

func (t *tries) fail(kind Kind, err error) *Error {
	return &Error{Kind: kind, Backend: t.call.Backend, Err: err}
}

func (t *tries) run(ctx context.Context) (Reply, error) {
	var last *Error
	for {
		e := t.next(last)
		if e == nil {
			return t.reply, t.exhausted(last)
		}
		t.reply.Tries++
		t.reply.Endpoint, t.reply.Name, t.reply.ID = e.addr, e.name, e.id
		t.tried = append(t.tried, e)
		response, err := t.try(ctx, e)
		t.heard(e, err)
		if !t.again(ctx, response, err) {
			t.reply.Response = response
			return t.reply, orNil(err)
		}
		last = err
		if response != nil && response.Body != nil {
			response.Body.Close()
		}
	}
}

func orNil(err *Error) error {
	if err == nil {
		return nil
	}
	return err
}

// next returns an endpoint that was not tried; where all were, Retry may send
// to one of them again.
func (t *tries) next(last *Error) *endpoint {
	w := want{t.call.Pinned, t.pool.keyOf(t.call.Request), t.tried}
	if e := t.pool.pick(w); e != nil {
		return e
	}
	if len(t.tried) == 0 || t.spent == 0 && last != nil && last.Kind == NoConnection && !last.unseen() {
		return nil
	}
	w.tried = nil
	return t.pool.pick(w)
}

func (t *tries) exhausted(last *Error) *Error {
	if last != nil {
		return last
	}
	return t.fail(NoEndpoints, errors.New("there is no endpoint"))
}

// again decides whether to try once more, and waits as Retry asks.
func (t *tries) again(ctx context.Context, response *exchange.Response, err *Error) bool {
	if ctx.Err() != nil || past(t.call.Deadline) || !t.repeatable(err) {
		return false
	}
	if err != nil && err.Kind == NoConnection && t.elsewhere(err) {
		return true
	}
	r := t.call.Retry
	if r == nil || t.spent >= r.Attempts || !counts(r, response, err) {
		return false
	}
	t.spent++
	return t.wait(ctx, time.Duration(r.Backoff))
}

// elsewhere says whether a failed connection costs nothing but a look at the
// next endpoint. What an endpoint of HTTP/2 has refused unseen may go to it again,
// over a connection that it does not leave, but not often: it may have too much to
// do.
func (t *tries) elsewhere(err *Error) bool {
	if t.connects++; t.connects > maxConnects {
		return false
	}
	return err.unseen() && t.connects <= maxUnseen || t.pool.hasMore(t.tried)
}

func counts(r *ir.Retry, response *exchange.Response, err *Error) bool {
	if err != nil {
		return err.Kind == NoConnection || err.Kind == Timeout || err.Kind == Broken
	}
	return response.Tunnel == nil && slices.Contains(r.Codes, response.Status)
}

func (t *tries) wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	if deadline := t.call.Deadline; !deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
