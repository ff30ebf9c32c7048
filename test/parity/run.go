package parity

import (
	"context"
	"fmt"
	"os"

	"github.com/coder/websocket"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/operator/source/dir/schema"
)

// Bench is what the cases of a run share.
type Bench struct {
	Dataplane dataplanes.Dataplane
	Catalog   *schema.Catalog
	// Agent is what stands beside a proxy and can be stopped; nil where nothing is to
	// be.
	Agent Agent
}

// Agent is a process beside a proxy.
type Agent interface {
	// Stop stops it as it stands, and Continue lets it go on.
	Stop()
	Continue()
	// Settle waits until it has done all that it was asked for, as far as anybody can
	// tell.
	Settle(ctx context.Context)
}

// Run plays a case against one dataplane, in a directory of its own, and
// returns what went wrong.
func (c *Case) Run(ctx context.Context, bench Bench) error {
	dir, err := os.MkdirTemp("", "parity")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w, err := newWorld(dir, "sluice.dev/"+bench.Dataplane.Name())
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.apply(c.Manifest); err != nil {
		return fmt.Errorf("in.yaml: %w", err)
	}
	if err := w.write(); err != nil {
		return fmt.Errorf("in.yaml: %w", err)
	}
	proxy, err := StartProxy(ProxyOptions{
		Dataplane: bench.Dataplane, Controller: w.controller, Catalog: bench.Catalog,
		Directory: dir, Address: w.address, Resolve: w.resolve,
	})
	if err != nil {
		return err
	}
	p := &play{world: w, proxy: proxy, plane: bench.Dataplane.Name(), agent: bench.Agent, sockets: map[string]*websocket.Conn{}}
	err = p.run(ctx, c.Steps)
	return firstError(err, proxy.Stop())
}
