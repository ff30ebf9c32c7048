package haproxy

import (
	"context"
	"net/netip"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/agent"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// Dataplane is HAProxy, one process for each unit.
type Dataplane struct{}

var (
	_ dataplanes.Dataplane = Dataplane{}
	_ dataplanes.Foreseer  = Dataplane{}
)

// Name returns "haproxy".
func (Dataplane) Name() string { return "haproxy" }

// Features returns what this proxy serves.
func (Dataplane) Features() feature.Set { return feature.Served() }

// Check says what this machine lacks.
func (Dataplane) Check() error {
	_, err := (&agent.Finder{Wanted: wanted}).Find()
	return err
}

// Render returns the translated unit.
func (Dataplane) Render(unit *ir.Unit) (any, error) {
	return translator.Translate(unit, translator.Target{Address: netip.IPv4Unspecified()}, nil), nil
}

// Foresee implements dataplanes.Foreseer.
func (Dataplane) Foresee(unit *ir.Unit) []ir.Problem {
	return translator.Translate(unit, translator.Target{Address: netip.IPv4Unspecified()}, nil).Problems
}

// Start returns a proxy that serves until the context ends. The one error is an
// admin address that cannot be bound: where HAProxy is missing, units say so.
func (Dataplane) Start(ctx context.Context, opts dataplanes.Options) (dataplanes.Local, error) {
	return start(ctx, opts)
}
