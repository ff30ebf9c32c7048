package filter

import (
	"context"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

// Exchange is one request on its way through the chains of its rule and of its
// backend, with what they remember and decide.
type Exchange struct {
	// Request is edited in place.
	Request *exchange.Request
	// Prefix is the path prefix that the rule's match matched; empty where it
	// was no prefix match.
	Prefix string
	// Draw is a uniformly random number, for mirrors by percentage.
	Draw uint64
	// Ask sends to external authorization backends; where it is nil, a rule that
	// needs one refuses its requests.
	Ask Asker
	// GRPC is true where answers of the proxy's own must be gRPC statuses.
	GRPC bool
	// Mirrors are the backends that get a copy of the request, once both chains
	// have run.
	Mirrors []ir.BackendKey

	// path is the one that was matched; origin is the request's Origin, from
	// before any header edit.
	path      string
	origin    string
	hasOrigin bool
	// granted are fields that an authorization server adds to the response.
	granted exchange.Header
}

// Start begins an exchange. Edits of the path are made to the path that the
// request has now, the one that was matched.
func Start(r *exchange.Request, prefix string, draw uint64) Exchange {
	x := Exchange{Request: r, Prefix: prefix, Draw: draw, path: r.Path}
	x.origin, x.hasOrigin = r.Header.Get("Origin")
	return x
}

// Asker sends a request to an external authorization backend and returns its
// answer, whose body the caller closes. Any error refuses the request. It must
// bound how long it takes.
type Asker interface {
	Ask(ctx context.Context, backend ir.BackendKey, r *exchange.Request) (*exchange.Response, error)
}
