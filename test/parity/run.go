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
	p := &play{world: w, proxy: proxy, plane: bench.Dataplane.Name(), sockets: map[string]*websocket.Conn{}}
	err = p.run(ctx, c.Steps)
	return firstError(err, proxy.Stop())
}
