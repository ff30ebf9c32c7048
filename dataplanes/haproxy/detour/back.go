package detour

import (
	"context"
	"net"
	"net/netip"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/upstream"
	"github.com/sluice-gateway/sluice/ir"
)

// back is the way to HAProxy: one backend for each version of HTTP, with one endpoint
// that is HAProxy's socket.
type back struct{ pools *upstream.Pools }

var (
	backHTTP1 = ir.BackendKey{EndpointsKey: ir.EndpointsKey{Service: "return"}, Protocol: ir.BackendHTTP1}
	backH2    = ir.BackendKey{EndpointsKey: ir.EndpointsKey{Service: "return"}, Protocol: ir.BackendH2C}
)

func newBack(socket string) back {
	nowhere := netip.IPv4Unspecified().String()
	return back{upstream.Next(nil, upstream.Input{
		Backends:  []*ir.Backend{{Key: backHTTP1}, {Key: backH2}},
		Endpoints: []*ir.Endpoints{{Key: backHTTP1.EndpointsKey, Endpoints: []ir.Endpoint{{Address: nowhere, Port: 1}}}},
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
		ID: func(ir.EndpointsKey, ir.Endpoint) upstream.ID { return upstream.ID{} },
	})}
}

// send carries a request to HAProxy. Upgrades are HTTP/1.1's.
func (b back) send(ctx context.Context, h2 bool, call upstream.Call) (*exchange.Response, error) {
	call.Backend = backHTTP1
	if h2 && call.Request.Upgrade == "" {
		call.Backend = backH2
	}
	reply, err := b.pools.Do(ctx, call)
	return reply.Response, err
}

func (b back) close() { b.pools.Retire(nil) }
