package detour

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/relay"
	"github.com/sluice-gateway/sluice/ir"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// openings are the sockets behind which TLS is opened.
type openings struct {
	agent *Agent

	mu      sync.Mutex
	bound   map[string]*opening
	failed  map[string]error
	running sync.WaitGroup
}

// opening is one of them, which leads to one endpoint.
type opening struct {
	agent  *Agent
	leads  translator.Opening
	socket net.Listener
	// unwanted is set by the first apply that does not name it.
	unwanted bool
	// ctx ends when connections are to end.
	ctx context.Context //nolint:containedctx // It is the life of the socket, and of no one connection.
	end context.CancelFunc
}

// apply binds the sockets that are wanted. Those that are not wanted any more are there
// until the next apply, as HAProxy has not heard of this one yet. Then they take no new
// connections, and those that they have end when their ends say so.
func (o *openings) apply(g *generation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	want := map[string]translator.Opening{}
	for _, one := range g.in.Detours.Openings {
		want[one.Socket] = one
	}
	for name, one := range o.bound {
		gone := want[name] != one.leads
		if gone && (one.unwanted || want[name].Socket != "") {
			delete(o.bound, name)
			one.socket.Close()
		}
		one.unwanted = gone
	}
	o.failed = map[string]error{}
	for name, leads := range want {
		if o.bound[name] == nil {
			o.bind(name, leads)
		}
	}
}

func (o *openings) bind(name string, leads translator.Opening) {
	one := &opening{agent: o.agent, leads: leads}
	var err error
	if one.socket, err = listen(filepath.Join(o.agent.opts.Dir, name)); err != nil {
		o.failed[name] = err
		return
	}
	one.ctx, one.end = context.WithCancel(context.Background())
	o.bound[name] = one
	o.running.Go(func() {
		var conns sync.WaitGroup
		accept(one.socket, func(c net.Conn) { conns.Go(func() { one.serve(c) }) })
		conns.Wait()
		one.end()
	})
}

// problems are the backends whose endpoints cannot be reached.
func (o *openings) problems() []ir.Problem {
	o.mu.Lock()
	defer o.mu.Unlock()
	g := o.agent.current.Load()
	var all []ir.Problem
	for _, one := range g.in.Detours.Openings {
		if err := o.failed[one.Socket]; err != nil {
			all = append(all, ir.Problem{
				Origin:  ir.Origin{Object: g.in.Unit.Proxy.Owner},
				Message: fmt.Sprintf("the endpoints of %s/%s:%d cannot be reached: %v", one.Backend.Namespace, one.Backend.Service, one.Backend.Port, err),
			})
		}
	}
	return all
}

// close ends all.
func (o *openings) close() {
	o.mu.Lock()
	for _, one := range o.bound {
		one.socket.Close()
		one.end()
	}
	o.mu.Unlock()
	o.running.Wait()
}

// serve carries one connection of HAProxy's to the endpoint. Where that cannot be
// reached, or shows the wrong certificate, HAProxy's is closed before anything was
// read of it.
func (o *opening) serve(c net.Conn) {
	defer c.Close()
	client, ok := c.(relay.Conn)
	if !ok {
		return
	}
	g := o.agent.current.Load()
	conn, err := g.pools.Reach(o.ctx, o.leads.Backend, o.leads.Address)
	if err != nil {
		return
	}
	backend, ok := conn.(relay.Conn)
	if !ok {
		conn.Close()
		return
	}
	job := relay.Job{Client: client, Backend: backend, Idle: time.Duration(g.in.Unit.Proxy.Settings.Timeouts.StreamIdle)}
	defer context.AfterFunc(o.ctx, job.Cut)()
	relay.Run(job)
}
