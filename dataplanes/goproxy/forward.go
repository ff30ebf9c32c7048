package goproxy

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/filter"
	"github.com/sluice-gateway/sluice/dataplanes/internal/mirror"
	"github.com/sluice-gateway/sluice/dataplanes/internal/upstream"
	"github.com/sluice-gateway/sluice/ir"
)

// readSession returns the endpoint that the client's token names; zero for none.
func (t *transaction) readSession() upstream.ID {
	session := t.hit.Rule.Session
	if session == nil {
		return upstream.ID{}
	}
	id, _ := t.generation.sessions.Read(session, t.in.Request, t.began)
	return upstream.ID(id)
}

// forward sends the request to the chosen backend.
func (t *transaction) forward(ctx context.Context, session upstream.ID) *exchange.Response {
	rule := t.hit.Rule
	var err error
	t.reply, err = t.generation.pools.Do(ctx, upstream.Call{
		Backend: *t.use.Backend, Request: t.in.Request, Retry: rule.Retry, Deadline: t.deadline,
		PerTry: time.Duration(max(0, rule.Timeouts.BackendRequest)), Pinned: session,
	})
	if err != nil {
		return t.failed(err)
	}
	if rule.Session != nil && t.reply.ID != session {
		t.generation.sessions.Write(rule.Session, filter.Grant{
			Endpoint: filter.EndpointID(t.reply.ID), Now: t.began, Secure: t.in.Conn.TLS,
		}, t.reply.Response)
	}
	return t.reply.Response
}

func (t *transaction) failed(err error) *exchange.Response {
	var failure *upstream.Error
	if !errors.As(err, &failure) {
		return t.refuse(http.StatusBadGateway, string(upstream.Broken))
	}
	t.failure = string(failure.Kind)
	return t.refuse(failure.Status(), t.failure)
}

// mirror arranges for copies of the request as the backend will see it.
func (t *transaction) mirror(backends []ir.BackendKey) {
	if len(backends) == 0 {
		return
	}
	pools := t.generation.pools
	sends := make([]mirror.Send, 0, len(backends))
	for _, backend := range backends {
		sends = append(sends, func(ctx context.Context, r *exchange.Request) {
			reply, err := pools.Do(ctx, upstream.Call{Backend: backend, Request: r})
			if err == nil {
				discard(reply.Response)
			}
		})
	}
	t.endMirrors = t.shared.mirrors.Copy(t.in.Request, sends)
}

// discard reads what a mirror answers, so that its connection can be used
// again, but no more of it than a page.
func discard(r *exchange.Response) {
	if r.Tunnel != nil {
		r.Tunnel.Close()
	}
	if r.Body == nil {
		return
	}
	defer r.Body.Close()
	page := make([]byte, 16<<10)
	for read := 0; read < len(page); {
		n, err := r.Body.Read(page[read:])
		if read += n; err != nil {
			return
		}
	}
}

// asker asks external authorization servers through the unit's own pools.
type asker struct {
	pools    *upstream.Pools
	trail    trail
	deadline time.Time
}

var _ filter.Asker = (*asker)(nil)

// Ask bounds the answer to ten seconds: an authorization server that hangs
// refuses its requests and does not collect them.
func (a *asker) Ask(ctx context.Context, backend ir.BackendKey, r *exchange.Request) (*exchange.Response, error) {
	a.trail.mark(&r.Header)
	reply, err := a.pools.Do(ctx, upstream.Call{Backend: backend, Request: r, Deadline: a.deadline, PerTry: 10 * time.Second})
	if err != nil {
		return nil, err
	}
	if reply.Response.Tunnel != nil {
		reply.Response.Tunnel.Close()
		return nil, errors.New("the authorization server changed the protocol")
	}
	// What it says is for the client's request, which outlives this answer.
	reply.Response.Header = reply.Response.Header.Clone()
	return reply.Response, nil
}
