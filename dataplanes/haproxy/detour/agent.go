package detour

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/dataplanes/internal/accesslog"
	"github.com/sluice-gateway/sluice/dataplanes/internal/admin"
	"github.com/sluice-gateway/sluice/dataplanes/internal/guard"
	"github.com/sluice-gateway/sluice/dataplanes/internal/mirror"
	"github.com/sluice-gateway/sluice/dataplanes/internal/upstream"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/requestpath"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// Options are what the agent of one unit is made of.
type Options struct {
	// Dir is HAProxy's folder.
	Dir string
	// Metrics and Mirrors are those of all units; Log is nil for none.
	Metrics *admin.Metrics
	Mirrors *mirror.Mirrors
	Log     *accesslog.Log
	// Guard knows how many sessions of UDP this process bears.
	Guard *guard.Guard
	// Place is where the proxy runs.
	Place upstream.Place
}

// Input is what is to be served from now on.
type Input struct {
	Unit    *ir.Unit
	Detours translator.Detours
	// Address and PortOffset are where ports of UDP are bound.
	Address    netip.Addr
	PortOffset int
}

// Agent serves the detours of one unit, from before its HAProxy starts until after it
// has ended.
type Agent struct {
	opts     Options
	server   *wire.Server
	socket   net.Listener
	back     back
	current  atomic.Pointer[generation]
	conns    sync.WaitGroup
	sockets  sockets
	openings openings
}

// New returns an agent that takes requests, and has none to go on with yet.
func New(opts Options) (*Agent, error) {
	a := &Agent{opts: opts, back: newBack(filepath.Join(opts.Dir, translator.ReturnSocket))}
	a.sockets = sockets{agent: a, bound: map[netip.AddrPort]*datagrams{}}
	a.openings = openings{agent: a, bound: map[string]*opening{}}
	a.current.Store(&generation{})
	a.server = wire.New(wire.Config{
		Handler: a, Slashes: requestpath.KeepSlashes,
		// HAProxy has held requests to the unit's limits already.
		Limits: ir.Limits{RequestHeaderBytes: mostHeader, RequestHeaderCount: mostFields},
	})
	var err error
	if a.socket, err = listen(filepath.Join(opts.Dir, translator.DetourSocket)); err != nil {
		return nil, err
	}
	a.conns.Go(func() { accept(a.socket, a.take) })
	return a, nil
}

// mostHeader, in bytes, and mostFields are more than HAProxy's own buffer holds.
const (
	mostHeader = 1 << 20
	mostFields = 2000
)

// listen binds a socket that nobody but the user can connect to, in the place of one
// that a process before this one has left.
func listen(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(path, 0o600)
}

// accept hands connections on until the socket is closed.
func accept(l net.Listener, take func(net.Conn)) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			take(c)
		}
	}
}

func (a *Agent) take(c net.Conn) {
	if !a.server.ServeConn(c) {
		c.Close()
	}
}

// Apply has requests, datagrams and connections served as the input says. It must be
// called before HAProxy is told what leads there. What requests on their way may
// still ask for is there until the next Apply. It returns what cannot be served.
func (a *Agent) Apply(in Input) []ir.Problem {
	last := a.current.Load()
	g := newGeneration(in, last, a.opts.Place)
	a.current.Store(g)
	last.pools.Retire(g.pools)
	a.sockets.apply(g)
	a.openings.apply(g)
	return a.Problems()
}

// Rebind tries ports of UDP again that others had, and says whether that has changed
// anything.
func (a *Agent) Rebind() bool { return a.sockets.rebind(a.current.Load()) }

// Problems are those of now.
func (a *Agent) Problems() []ir.Problem {
	g := a.current.Load()
	all := append([]ir.Problem(nil), g.problems...)
	all = append(all, a.sockets.problems(g)...)
	return append(all, a.openings.problems()...)
}

// Drain takes no new sessions of UDP, and serves those that there are until they have
// ended or the context has. HAProxy may drain meanwhile.
func (a *Agent) Drain(ctx context.Context) { a.sockets.drain(ctx) }

// Close ends all that is under way. HAProxy has ended before.
func (a *Agent) Close() {
	ended, end := context.WithCancel(context.Background())
	end()
	a.Drain(ended)
	a.socket.Close()
	a.server.Drain(ended)
	a.openings.close()
	a.conns.Wait()
	a.back.close()
	a.current.Load().pools.Retire(nil)
}
