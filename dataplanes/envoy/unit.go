package envoy

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/agent"
	"github.com/sluice-gateway/sluice/dataplanes/envoy/ads"
	"github.com/sluice-gateway/sluice/ir"
	translator "github.com/sluice-gateway/sluice/translators/envoy"
)

// unit serves one owner with a process of its own.
type unit struct {
	local *local
	owner ir.Object

	cancel context.CancelFunc
	done   chan struct{}

	mu sync.Mutex
	// asked is the last wish that is not under way yet.
	asked *dataplanes.Assignment
	wake  chan struct{}

	// What follows belongs to run.
	files  files
	server *ads.Server
	grpc   *grpc.Server
	child  *agent.Child
	admin  *Admin
	said   *agent.Tail
	last   *translator.Config
}

func newUnit(l *local, owner ir.Object) *unit {
	ctx, cancel := context.WithCancel(context.Background())
	u := &unit{local: l, owner: owner, cancel: cancel, done: make(chan struct{}), wake: make(chan struct{}, 1), server: ads.NewServer(), said: &agent.Tail{}}
	go u.run(ctx)
	return u
}

// apply takes note of an assignment; one that is not under way yet is forgotten.
func (u *unit) apply(a *dataplanes.Assignment) {
	u.mu.Lock()
	u.asked = a
	u.mu.Unlock()
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// stop ends the process and waits until it has gone.
func (u *unit) stop() {
	u.cancel()
	<-u.done
}

func (u *unit) take() *dataplanes.Assignment {
	u.mu.Lock()
	defer u.mu.Unlock()
	a := u.asked
	u.asked = nil
	return a
}

func (u *unit) run(ctx context.Context) {
	defer close(u.done)
	defer u.end()
	for {
		select {
		case <-ctx.Done():
			return
		case <-u.wake:
		}
		if a := u.take(); a != nil {
			out, err := u.force(ctx, a)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				out = u.failure(a, err)
			}
			u.local.outbox.Report(out)
		}
	}
}

// failure says of every listener why nothing is served.
func (u *unit) failure(a *dataplanes.Assignment, err error) dataplanes.Outcome {
	out := dataplanes.Outcome{Owner: u.owner, Version: a.Version}
	for _, l := range a.Unit.Proxy.Listeners {
		out.Problems = append(out.Problems, ir.Problem{
			Origin:  ir.Origin{Object: l.Key.Owner, Section: l.Key.Section},
			Message: err.Error(),
		})
	}
	return out
}

// start starts the process, unless it runs.
func (u *unit) start() error {
	if u.child != nil {
		return nil
	}
	path, err := Find()
	if err != nil {
		return err
	}
	if u.files, err = newFiles(u.local.opts.Dir); err != nil {
		return err
	}
	if err := u.files.write(u.owner, &corev3.Locality{Zone: u.local.opts.Zone}); err != nil {
		return err
	}
	listener, err := net.Listen("unix", u.files.ads())
	if err != nil {
		return err
	}
	u.grpc = grpc.NewServer()
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(u.grpc, u.server)
	go func() { _ = u.grpc.Serve(listener) }()
	u.admin = newAdmin(u.files.admin())
	program := agent.Program{Path: path, Said: u.said, Env: os.Environ(), Args: []string{
		"-c", u.files.bootstrap(), "--disable-hot-restart", "--log-level", "warning",
	}}
	if u.local.opts.AccessLog != nil {
		program.Lines = u.local.opts.AccessLog
	}
	u.child = agent.Keep(program)
	return nil
}

func (u *unit) end() {
	if u.child == nil {
		return
	}
	u.child.Stop()
	u.grpc.Stop()
	u.files.remove()
}

// force puts an assignment in force.
func (u *unit) force(ctx context.Context, a *dataplanes.Assignment) (dataplanes.Outcome, error) {
	if err := u.start(); err != nil {
		return dataplanes.Outcome{}, err
	}
	config := translator.Translate(a.Unit, translator.Target{
		Address: a.Address, PortOffset: a.PortOffset, Zone: u.local.opts.Zone, Node: u.local.opts.Node,
	}, u.last)
	u.last = config
	out := dataplanes.Outcome{Owner: u.owner, Version: a.Version, Problems: slices.Clone(config.Problems)}
	for _, step := range u.steps(config) {
		step()
		refusals, err := u.settle(ctx)
		if err != nil {
			return out, err
		}
		for _, r := range refusals {
			for _, name := range r.Names {
				for _, origin := range originsOf(config, r.Kind, name) {
					out.Problems = append(out.Problems, ir.Problem{Origin: origin, Message: r.Message})
				}
			}
		}
	}
	return out, nil
}

// steps put resources in force, so that nothing ever names what is missing: first
// what is new of what others name, then who names it, then what nobody names any
// more goes.
func (u *unit) steps(c *translator.Config) []func() {
	return []func(){
		func() {
			u.server.Add(ads.Secrets, resources(c.Secrets))
			u.server.Add(ads.Endpoints, resources(c.Endpoints))
			u.server.Add(ads.Clusters, resources(c.Clusters))
		},
		func() {
			u.server.Add(ads.Routes, resources(c.Routes))
			u.server.Add(ads.Filters, resources(c.Filters))
			u.server.Put(ads.Listeners, resources(c.Listeners))
		},
		func() {
			u.server.Put(ads.Routes, resources(c.Routes))
			u.server.Put(ads.Filters, resources(c.Filters))
			u.server.Put(ads.Clusters, resources(c.Clusters))
			u.server.Put(ads.Endpoints, resources(c.Endpoints))
			u.server.Put(ads.Secrets, resources(c.Secrets))
		},
	}
}

func resources(all []*translator.Resource) []ads.Resource {
	out := make([]ads.Resource, 0, len(all))
	for _, r := range all {
		out = append(out, ads.Resource{Name: r.Name, Message: r.Message})
	}
	return out
}

// settle waits until Envoy has answered and nothing is warming.
func (u *unit) settle(ctx context.Context) ([]ads.Refusal, error) {
	var all []ads.Refusal
	for {
		refusals, err := u.server.Settle(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, refusals...)
		clusters, listeners, err := u.admin.warming(ctx)
		if err == nil && clusters+listeners == 0 {
			return all, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("Envoy: %d clusters and %d listeners are not ready (%w)", clusters, listeners, err)
		case <-time.After(time.Millisecond):
		}
	}
}

// originsOf returns what a resource was made from.
func originsOf(c *translator.Config, kind ads.Kind, name string) []ir.Origin {
	for _, r := range map[ads.Kind][]*translator.Resource{
		ads.Secrets: c.Secrets, ads.Endpoints: c.Endpoints, ads.Clusters: c.Clusters, ads.Listeners: c.Listeners, ads.Routes: c.Routes,
		ads.Filters: c.Filters,
	}[kind] {
		if r.Name == name {
			return r.Origins
		}
	}
	return nil
}
