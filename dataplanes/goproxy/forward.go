package goproxy

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/errand"
	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/filter"
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
	t.endMirrors = t.shared.mirrors.Copy(t.in.Request, errand.Copies(t.generation.pools, backends))
}
