package goproxy

import (
	"context"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
	translator "github.com/sluice-gateway/sluice/translators/goproxy"
)

// Dataplane is the built-in proxy, which runs in the calling process.
type Dataplane struct{}

var _ dataplanes.Dataplane = Dataplane{}

// Name returns "go".
func (Dataplane) Name() string { return "go" }

// Features returns what this proxy serves.
func (Dataplane) Features() feature.Set { return feature.Served() }

// Render returns the translated unit.
func (Dataplane) Render(unit *ir.Unit) (any, error) { return translator.Translate(unit, nil), nil }

// Start returns a proxy that serves until the context ends. The one error is an
// admin address that cannot be bound.
func (Dataplane) Start(ctx context.Context, opts dataplanes.Options) (dataplanes.Local, error) {
	l, err := newLocal(ctx, opts)
	if err != nil {
		return nil, err
	}
	go l.run(ctx)
	return l, nil
}
