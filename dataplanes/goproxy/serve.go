package goproxy

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/table"
	"github.com/sluice-gateway/sluice/dataplanes/internal/accesslog"
	"github.com/sluice-gateway/sluice/dataplanes/internal/errand"
	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/filter"
	"github.com/sluice-gateway/sluice/dataplanes/internal/guard"
	"github.com/sluice-gateway/sluice/dataplanes/internal/trail"
	"github.com/sluice-gateway/sluice/dataplanes/internal/upstream"
	"github.com/sluice-gateway/sluice/ir"
)

// transaction is one request on its way through the proxy. It holds one
// generation from its beginning to its end.
type transaction struct {
	shared     *shared
	trail      trail.Trail
	generation *generation
	in         exchange.Incoming
	began      time.Time
	hit        table.Hit
	use        *table.Use
	reply      upstream.Reply
	// status is what the client is told.
	status int
	// flag is why the proxy itself answered; failure is upstream's kind.
	flag    string
	failure string
	// host and path are the client's, for the log.
	host, path string
	// deadline is when all must have ended; the zero time is never.
	deadline time.Time
	// exchange and asker are the filters'.
	exchange filter.Exchange
	asker    errand.Asker
	entry    accesslog.Entry
	// endMirrors gives up copies of a body that was not read to its end; nil where
	// there are none.
	endMirrors func()
	// places is where the request has taken one; nil where it has none.
	places *guard.Budget
}

var transactions = sync.Pool{New: func() any { return &transaction{} }}

// Serve answers one request.
func (u *unit) Serve(ctx context.Context, in exchange.Incoming) exchange.Answer {
	t := transactions.Get().(*transaction) //nolint:errcheck,forcetypeassert // The pool holds nothing else.
	*t = transaction{
		shared: u.shared, trail: u.trail, generation: u.current.Load(), in: in, began: time.Now(),
		host: in.Request.Host, path: in.Request.Path,
	}
	u.shared.metrics.Began()
	whole := false
	defer func() {
		if !whole {
			t.abandon()
		}
	}()
	forwarding := filter.Forwarding{TrustedHops: t.settings().ClientIP.TrustedHops}
	forwarding.Apply(in.Request, requestID())
	response := t.admitted(ctx, &u.requests)
	if announced := u.announced.Load(); announced != nil {
		announce(*announced, in, response)
	}
	if u.shared.leaving.Load() {
		response.Close = true
	}
	t.status, whole = response.Status, true
	return exchange.Answer{Response: response, Ender: t}
}

// admitted answers, or turns the request away where there is too much to do.
func (t *transaction) admitted(ctx context.Context, places *guard.Budget) *exchange.Response {
	if refused := t.admit(places); refused != "" {
		return t.shed(refused)
	}
	return t.answer(ctx)
}

// abandon is for a request that something panics about: its backend's connection
// must not be left open.
func (t *transaction) abandon() {
	if r := t.reply.Response; r != nil && r.Tunnel != nil {
		r.Tunnel.Close()
	} else if r != nil && r.Body != nil {
		r.Body.Close()
	}
	t.status, t.flag = http.StatusInternalServerError, "panic"
	t.Done(exchange.Sent{})
}

func (t *transaction) settings() *ir.Settings { return &t.generation.config.Settings }

func requestID() filter.RequestID {
	var id filter.RequestID
	binary.NativeEndian.PutUint64(id[:8], rand.Uint64())
	binary.NativeEndian.PutUint64(id[8:], rand.Uint64())
	return id
}

// answer finds the rule, or says why there is none.
func (t *transaction) answer(ctx context.Context) *exchange.Response {
	if t.in.Refused != 0 {
		return t.refuse(t.in.Refused, t.in.Reason)
	}
	if t.in.Request.Path == "*" {
		// OPTIONS of the server as a whole (RFC 9110, section 9.3.7).
		return &exchange.Response{Status: http.StatusOK}
	}
	if t.trail.Crossed(t.in.Request.Header) {
		return t.refuse(http.StatusLoopDetected, "loop")
	}
	port := t.generation.table.Port(t.in.Conn.Port)
	if port == nil {
		return closing(t.refuse(http.StatusNotFound, "no_listener"))
	}
	t.hit = port.Lookup(t.in.Conn.ServerName, t.in.Request)
	switch {
	case t.hit.Outcome == table.Misdirected || t.foreign():
		return t.refuse(http.StatusMisdirectedRequest, "misdirected")
	case t.stale() || t.shut():
		return closing(t.refuse(http.StatusMisdirectedRequest, "stale_connection"))
	case t.refusedListener():
		return t.refuse(http.StatusInternalServerError, "refused_listener")
	case t.hit.Outcome == table.NoRoute:
		return t.refuse(http.StatusNotFound, "no_route")
	default:
		return t.serve(ctx)
	}
}

// foreign says whether the connection does not speak as its listener does now:
// it was made when the port had another protocol.
func (t *transaction) foreign() bool {
	l := t.hit.Listener
	return l != nil && t.in.Conn.TLS != (l.Config.Protocol == ir.HTTPS)
}

// stale says whether the client was let in under other rules for certificates
// than those of now. A client may repeat such a request on a new connection,
// where it is asked (RFC 9110, section 15.5.20).
func (t *transaction) stale() bool {
	l := t.hit.Listener
	if l == nil {
		return false
	}
	demanded, ok := t.generation.validation[l.Config.Key]
	return ok && demanded != t.in.Conn.Validation
}

// shut says whether the listener refuses every handshake now. Whoever is
// connected from before would otherwise escape what it was closed for.
func (t *transaction) shut() bool {
	l := t.hit.Listener
	return l != nil && l.Config.Protocol == ir.HTTPS && t.generation.tls[l.Config.Key].Config == nil
}

// refusedListener says whether the host is one of a listener that cannot be
// served, and keeps its requests from a wider one.
func (t *transaction) refusedListener() bool {
	return t.hit.Listener != nil && t.hit.Listener.Config.Refused != ""
}

func closing(r *exchange.Response) *exchange.Response {
	r.Close = true
	return r
}

// refuse makes an answer of the proxy's own.
func (t *transaction) refuse(status int, flag string) *exchange.Response {
	t.flag = flag
	message := http.StatusText(status)
	return filter.Answer(status, message, t.in.Request.GRPC)
}

// serve runs the rule's filters around what its backend says.
func (t *transaction) serve(ctx context.Context) *exchange.Response {
	rule := t.hit.Rule
	if rule.Refused != "" {
		return t.refuse(http.StatusInternalServerError, "refused_rule")
	}
	t.bound(rule.Timeouts.Request, t.settings().Timeouts.Request)
	t.asker = errand.Asker{Pools: t.generation.pools, Trail: t.trail, Deadline: t.deadline}
	x := &t.exchange
	*x = filter.Start(t.in.Request, t.hit.Prefix, rand.Uint64())
	x.Ask, x.GRPC = &t.asker, t.in.Request.GRPC
	response := rule.Filters.Request(ctx, x)
	if response != nil {
		t.flag = "filter"
	} else {
		response = t.useBackend(ctx, x)
	}
	rule.Filters.Response(x, response)
	return response
}

// bound applies a rule's time-out, or the unit's where the rule has none.
func (t *transaction) bound(own, fallback ir.Duration) {
	if own == 0 {
		own = fallback
	}
	if own > 0 {
		t.deadline = t.began.Add(time.Duration(own))
	}
}

// useBackend chooses a backend and runs the filters of its use.
func (t *transaction) useBackend(ctx context.Context, x *filter.Exchange) *exchange.Response {
	session := t.readSession()
	t.use = t.choose(session)
	if t.use == nil || t.use.Backend == nil {
		return t.refuse(http.StatusInternalServerError, "no_backend")
	}
	response := t.use.Filters.Request(ctx, x)
	if response != nil {
		t.flag = "filter"
	} else {
		t.trail.Mark(&t.in.Request.Header)
		t.mirror(x.Mirrors)
		response = t.forward(ctx, session)
	}
	t.use.Filters.Response(x, response)
	return response
}

// choose keeps a session with the backend of its endpoint, and otherwise draws
// by weight.
func (t *transaction) choose(session upstream.ID) *table.Use {
	rule := t.hit.Rule
	if session != (upstream.ID{}) {
		for i := range rule.Uses {
			use := &rule.Uses[i]
			if use.Weight > 0 && use.Backend != nil && t.generation.pools.Has(*use.Backend, session) {
				return use
			}
		}
	}
	return rule.Pick(rand.Uint64())
}
