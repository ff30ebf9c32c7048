package parity

import (
	"context"
	"fmt"
	"os"

	"github.com/coder/websocket"

	"github.com/sluice-gateway/sluice/dataplanes"
)

// Run plays a case against one dataplane, in a directory of its own, and
// returns what went wrong.
func (c *Case) Run(ctx context.Context, dataplane dataplanes.Dataplane) (err error) {
	dir, err := os.MkdirTemp("", "parity")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w, err := newWorld(dir, "sluice.dev/"+dataplane.Name())
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
		Dataplane: dataplane, Controller: w.controller, Directory: dir, Address: w.address, Resolve: w.resolve,
	})
	if err != nil {
		return err
	}
	p := &play{world: w, proxy: proxy, sockets: map[string]*websocket.Conn{}}
	err = p.run(ctx, c.Steps)
	return firstError(err, proxy.Stop())
}
