package host

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/test/cluster/plan"
)

// State is what GET /state answers.
type State struct {
	// PID is the process that everything else ends with.
	PID int
	// Processes are those that run, by name, with their ids.
	Processes map[string]int
}

// listen serves requests on the socket: /state, /stop?name=, /start?name= and
// /shutdown. Only root can open the folder that the socket is in.
func (c *cluster) listen(ctx context.Context) (func(), error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", plan.Socket())
	if err != nil {
		return nil, err
	}
	var once sync.Once
	mux := http.NewServeMux()
	mux.HandleFunc("GET /state", c.serveState)
	mux.HandleFunc("POST /stop", c.change(c.stopNamed))
	mux.HandleFunc("POST /start", c.change(c.startNamed))
	mux.HandleFunc("POST /shutdown", func(http.ResponseWriter, *http.Request) { once.Do(func() { close(c.end) }) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // Ends with Close.
	return func() { _ = server.Close() }, nil
}

func (c *cluster) serveState(w http.ResponseWriter, _ *http.Request) {
	state := State{PID: os.Getpid(), Processes: map[string]int{}}
	for _, name := range c.processes.names() {
		if pr := c.processes.get(name); pr.running() {
			state.Processes[name] = pr.cmd.Process.Pid
		}
	}
	_ = json.NewEncoder(w).Encode(state) // The client sees what is missing.
}

// change makes a handler of what is done to a process. Changes come one at a
// time.
func (c *cluster) change(do func(context.Context, string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c.changes.Lock()
		defer c.changes.Unlock()
		if err := do(r.Context(), r.FormValue("name")); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	}
}

func (c *cluster) stopNamed(_ context.Context, name string) error {
	if i := nodeIndex(name); i > 0 {
		return c.stopNode(i)
	}
	return c.processes.kill(name)
}

// startNamed starts what was stopped and waits until it works again.
func (c *cluster) startNamed(ctx context.Context, name string) error {
	if i := nodeIndex(name); i > 0 {
		if i > c.plan.Nodes {
			return fmt.Errorf("there is no %s: this cluster has %d nodes", name, c.plan.Nodes)
		}
		since := time.Now()
		if err := c.startNode(i); err != nil {
			return err
		}
		return c.nodeReady(ctx, i, since)
	}
	if command(c.plan, name) == nil {
		return fmt.Errorf("there is no process %q", name)
	}
	if err := c.startAll(name); err != nil {
		return err
	}
	return c.serves(ctx)
}
