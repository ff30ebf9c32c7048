package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/test/cluster/pki"
	"github.com/sluice-gateway/sluice/test/cluster/plan"
)

// Ready is the last line of progress: from there on the cluster can be used.
const Ready = "ready"

// Failed is what the line of progress begins with that has the error. Lines that
// follow belong to it.
const Failed = "failed: "

// cluster is what runs.
type cluster struct {
	plan      plan.Plan
	processes *processes
	progress  io.Writer
	began     time.Time
	// end is closed by a request for the end.
	end chan struct{}
	// changes lets one request at a time change what runs.
	changes sync.Mutex
}

// Serve boots a cluster, tells its progress line by line, keeps it until the
// context ends or a request asks for its end, and takes it down. It fails where
// another cluster runs on the machine. The caller should not return from main
// before Serve does.
func Serve(ctx context.Context, p plan.Plan, progress io.Writer) error {
	lock, err := Acquire()
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := Clean(); err != nil {
		return fmt.Errorf("cleaning up after an earlier cluster: %w", err)
	}
	if err := os.WriteFile(plan.PID(), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return err
	}
	c := &cluster{plan: p, processes: newProcesses(p), progress: progress, began: time.Now(), end: make(chan struct{})}
	err = c.run(ctx)
	c.processes.killAll()
	keepLogs(p)
	return errors.Join(err, Clean())
}

// keepLogs saves the logs of the last cluster from the end of its state.
func keepLogs(p plan.Plan) {
	last := p.Dir + ".logs"
	_ = os.RemoveAll(last)
	_ = os.Rename(p.File("logs"), last)
}

func (c *cluster) run(ctx context.Context) error {
	stop, err := c.listen(ctx)
	if err != nil {
		return err
	}
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		<-c.end
		cancel()
	}()
	if err := c.boot(ctx); err != nil {
		return err
	}
	c.say(Ready)
	<-ctx.Done()
	return nil
}

// say tells a step and when it was done.
func (c *cluster) say(step string) {
	// Who asked for the cluster may have gone, and its log has the same lines.
	_, _ = fmt.Fprintf(c.progress, "%6.1fs  %s\n", time.Since(c.began).Seconds(), step)
}

// step is a part of booting.
type step struct {
	name string
	do   func(context.Context) error
}

func (c *cluster) boot(ctx context.Context) error {
	steps := []step{
		{"keys and folders", c.prepare},
		{"etcd, the API server and nodes started", c.startFirst},
		{"the API server answers", c.serves},
		{"controllers started", c.startSecond},
		{"MetalLB and DNS installed", c.install},
	}
	if c.plan.Nodes > 0 {
		steps = append(steps, step{"nodes are Ready", c.nodesReady}, step{"DNS answers", c.dnsReady})
	}
	steps = append(steps, step{"default ServiceAccount", c.accountReady})
	for _, s := range steps {
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		c.say(s.name)
	}
	return nil
}

// prepare makes the folders and the files that everything else reads.
func (c *cluster) prepare(context.Context) error {
	// What is there is of a machine that was switched off.
	if err := os.RemoveAll(c.plan.Dir); err != nil {
		return err
	}
	for _, dir := range []string{c.plan.Dir, c.plan.File("logs")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	policy, err := auditPolicy()
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.plan.File("audit-policy.json"), policy, 0o600); err != nil {
		return err
	}
	if err := pki.Write(c.plan, time.Now()); err != nil {
		return err
	}
	if err := c.mountPoints(); err != nil {
		return err
	}
	if err := c.plan.Write(c.plan.File("plan.json")); err != nil {
		return err
	}
	return c.plan.Write(plan.Current())
}

// mountPoints makes the folders of the host that nodes mount their own over, and
// remembers which were not there.
func (c *cluster) mountPoints() error {
	var made []string
	for _, dir := range plan.MountPoints() {
		for ; !exists(dir); dir = filepath.Dir(dir) {
			made = append(made, dir)
		}
	}
	if err := writeMade(made); err != nil {
		return err
	}
	for _, dir := range plan.MountPoints() {
		if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // As on any node.
			return err
		}
	}
	return nil
}

func exists(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

func (c *cluster) startFirst(context.Context) error {
	if err := addBridge(c.plan); err != nil {
		return err
	}
	if err := c.startAll("etcd", "kube-apiserver"); err != nil {
		return err
	}
	for i := 1; i <= c.plan.Nodes; i++ {
		if err := c.startNode(i); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) startSecond(context.Context) error {
	return c.startAll("kube-controller-manager", "kube-scheduler")
}

func (c *cluster) startAll(names ...string) error {
	for _, name := range names {
		if _, err := c.processes.start(name, command(c.plan, name)); err != nil {
			return err
		}
	}
	return nil
}
