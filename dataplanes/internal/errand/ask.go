package errand

import (
	"context"
	"errors"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/filter"
	"github.com/sluice-gateway/sluice/dataplanes/internal/trail"
	"github.com/sluice-gateway/sluice/dataplanes/internal/upstream"
	"github.com/sluice-gateway/sluice/ir"
)

// patience bounds an answer: an authorization server that hangs refuses its
// requests and does not collect them.
const patience = 10 * time.Second

// Asker asks external authorization servers for one request.
type Asker struct {
	Pools *upstream.Pools
	Trail trail.Trail
	// Deadline is the request's own; the zero time is none.
	Deadline time.Time
}

var _ filter.Asker = (*Asker)(nil)

// Ask bounds the answer to ten seconds.
func (a *Asker) Ask(ctx context.Context, backend ir.BackendKey, r *exchange.Request) (*exchange.Response, error) {
	a.Trail.Mark(&r.Header)
	reply, err := a.Pools.Do(ctx, upstream.Call{Backend: backend, Request: r, Deadline: a.Deadline, PerTry: patience})
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
