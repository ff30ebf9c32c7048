package errand

import (
	"context"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/mirror"
	"github.com/sluice-gateway/sluice/dataplanes/internal/upstream"
	"github.com/sluice-gateway/sluice/ir"
)

// Copies are what carries a copy of one request to each of some backends.
func Copies(pools *upstream.Pools, backends []ir.BackendKey) []mirror.Send {
	sends := make([]mirror.Send, 0, len(backends))
	for _, backend := range backends {
		sends = append(sends, func(ctx context.Context, r *exchange.Request) {
			reply, err := pools.Do(ctx, upstream.Call{Backend: backend, Request: r})
			if err == nil {
				discard(reply.Response)
			}
		})
	}
	return sends
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
