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
	// shut says that the endpoint cannot be reached and that there are others: nobody
	// is let in until it can.
	shut bool
	// gone is closed when the socket is to be there no more.
	gone chan struct{}
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
			one.leave()
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
	one := &opening{agent: o.agent, leads: leads, gone: make(chan struct{})}
	var err error
	if one.socket, err = o.listen(one); err != nil {
		o.failed[name] = err
		return
	}
	one.ctx, one.end = context.WithCancel(context.Background())
	o.bound[name] = one
	o.running.Go(func() {
		var conns sync.WaitGroup
		for socket := one.socket; socket != nil; socket = o.again(one) {
			accept(socket, func(c net.Conn) { conns.Go(func() { o.serve(one, c) }) })
		}
		conns.Wait()
		one.end()
	})
}

func (o *openings) listen(one *opening) (net.Listener, error) {
	return listen(filepath.Join(o.agent.opts.Dir, one.leads.Socket))
}

// leave takes no new connection any more.
func (o *opening) leave() {
	close(o.gone)
	o.socket.Close()
}

// shut lets nobody in for an endpoint that cannot be reached, so that HAProxy sees what
// it sees of any such server and tries another. The last one stays open: HAProxy would
// wait, and has nowhere else to go.
func (o *openings) shut(one *opening) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, other := range o.bound {
		if other != one && other.leads.Backend == one.leads.Backend && !other.shut && !other.unwanted && !one.shut {
			one.shut = true
			one.socket.Close()
			return
		}
	}
}

// lookAgain is how often an endpoint is looked for that could not be reached.
const lookAgain = time.Second

// again waits until an endpoint can be reached again, and lets HAProxy in. It returns
// nil once the socket is to be there no more.
func (o *openings) again(one *opening) net.Listener {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		select {
		case <-one.gone:
			return nil
		case <-tick.C:
		}
		if socket := o.reopen(one); socket != nil {
			return socket
		}
	}
}

func (o *openings) reopen(one *opening) net.Listener {
	conn, err := one.reach()
	if err != nil {
		return nil
	}
	conn.Close()
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case <-one.gone:
		return nil
	default:
	}
	socket, err := o.listen(one)
	if err != nil {
		return nil
	}
	one.socket, one.shut = socket, false
	return socket
}

// reach connects to the endpoint.
func (o *opening) reach() (net.Conn, error) {
	return o.agent.current.Load().pools.Reach(o.ctx, o.leads.Backend, o.leads.Address)
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
	for name, one := range o.bound {
		delete(o.bound, name)
		one.leave()
		one.end()
	}
	o.mu.Unlock()
	o.running.Wait()
}

// serve carries one connection of HAProxy's to the endpoint. Where that cannot be
// reached, or shows the wrong certificate, HAProxy's is closed before anything was
// read of it.
func (o *openings) serve(one *opening, c net.Conn) {
	defer c.Close()
	conn, err := one.reach()
	if err != nil {
		o.shut(one)
		return
	}
	client, isConn := c.(relay.Conn)
	backend, isBackend := conn.(relay.Conn)
	if !isConn || !isBackend {
		conn.Close()
		return
	}
	idle := time.Duration(o.agent.current.Load().in.Unit.Proxy.Settings.Timeouts.StreamIdle)
	job := relay.Job{Client: client, Backend: backend, Idle: idle}
	defer context.AfterFunc(one.ctx, job.Cut)()
	relay.Run(job)
}
