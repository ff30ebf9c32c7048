package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/test/bench/backend"
	"github.com/sluice-gateway/sluice/test/bench/load"
	"github.com/sluice-gateway/sluice/test/bench/process"
	"github.com/sluice-gateway/sluice/test/bench/proxies"
)

// rig is what runs while measurements are made.
type rig struct {
	options
	dir     string
	setup   proxies.Setup
	backend *process.Running
	proxies []*candidate
	wrk     load.Tool
	h2load  load.Tool
	// missing says why a proxy or a load generator takes no part.
	missing map[string]string
	// body is a file of 1 MiB, call one with a gRPC message.
	body, call string
}

// candidate is a proxy that is measured.
type candidate struct {
	name    string
	version string
	setup   proxies.Setup
	launch  proxies.Launch
	running *process.Running
	// turns counts the rounds with something beside the load.
	turns int
}

func newRig(ctx context.Context, o options) (*rig, error) {
	dir, err := os.MkdirTemp("", "sluice-bench-")
	if err != nil {
		return nil, err
	}
	r := &rig{options: o, dir: dir, missing: map[string]string{}}
	for _, step := range []func(context.Context) error{r.files, r.tools, r.startBackend, r.startProxies} {
		if err := step(ctx); err != nil {
			r.close()
			return nil, err
		}
	}
	return r, nil
}

// close ends everything that was started and removes what it wrote.
func (r *rig) close() {
	for _, c := range r.proxies {
		c.stop()
	}
	if r.backend != nil {
		r.backend.Stop()
	}
	_ = os.RemoveAll(r.dir)
}

func (r *rig) files(context.Context) error {
	// Workers of nginx are another user where this one is root.
	if err := os.Chmod(r.dir, 0o755); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r.setup = proxies.Setup{Count: r.routes, Procs: r.procs, Self: self, Sluice: r.sluice, Packages: r.packages}
	if err := certificate(r.dir, &r.setup); err != nil {
		return err
	}
	r.body, r.call = filepath.Join(r.dir, "body"), filepath.Join(r.dir, "call")
	message := append([]byte{0, 0, 0, 0, byte(len(backend.Small))}, backend.Small...)
	return errors.Join(os.WriteFile(r.body, make([]byte, backend.Big), 0o644), os.WriteFile(r.call, message, 0o644))
}

func (r *rig) tools(context.Context) error {
	for name, tool := range map[string]*load.Tool{"wrk": &r.wrk, "h2load": &r.h2load} {
		path, err := proxies.Find(r.packages, name)
		if err != nil {
			r.missing[name] = err.Error()
			continue
		}
		tool.Path = path
		if strings.HasPrefix(path, r.packages+"/") {
			tool.Env = proxies.Libraries(r.packages)
		}
	}
	return nil
}

func (r *rig) startBackend(ctx context.Context) error {
	ports, err := freePorts(4)
	if err != nil {
		return err
	}
	r.setup.Backend = proxies.Backend{HTTP: ports[0], HTTPS: ports[1], GRPC: ports[2], UDP: ports[3]}
	args := []string{r.setup.Self, "backend"}
	for _, p := range ports {
		args = append(args, local(p))
	}
	args = append(args, r.setup.Cert, r.setup.Key)
	out := filepath.Join(r.dir, "backend.log")
	if r.backend, err = process.Start(process.Command{Args: args, Output: out}); err != nil {
		return err
	}
	for _, p := range ports[:3] {
		if err := waitPort(ctx, p, r.backend); err != nil {
			return fmt.Errorf("backend: %w%s", err, tail(out))
		}
	}
	return nil
}

// startProxies leaves out what is not there; what was asked for by name and
// does not start is an error.
func (r *rig) startProxies(ctx context.Context) error {
	for _, p := range proxies.All() {
		if len(r.options.proxies) > 0 && !slices.Contains(r.options.proxies, p.Name) {
			continue
		}
		c, err := r.prepare(p)
		if err == nil {
			err = c.start(ctx)
		}
		if err != nil {
			r.missing[p.Name] = err.Error()
			continue
		}
		r.proxies = append(r.proxies, c)
	}
	if len(r.proxies) == 0 {
		return fmt.Errorf("no proxy runs: %v", r.missing)
	}
	return nil
}

func (r *rig) prepare(p proxies.Proxy) (*candidate, error) {
	c := &candidate{name: p.Name, setup: r.setup}
	ports, err := freePorts(8)
	if err != nil {
		return nil, err
	}
	c.setup.Ports = proxies.Ports{
		Plain: ports[0], TLS: ports[1], Routes: ports[2], GRPC: ports[3],
		TCP: ports[4], Pass: ports[5], UDP: ports[6], Admin: ports[7],
	}
	c.setup.Dir = filepath.Join(r.dir, p.Name)
	c.setup.Log = filepath.Join(r.dir, p.Name+".log")
	if r.accessLog == "null" {
		c.setup.Log = os.DevNull
	}
	if err := os.MkdirAll(c.setup.Dir, 0o755); err != nil {
		return nil, err
	}
	if c.launch, err = p.Prepare(c.setup); err != nil {
		return nil, err
	}
	c.version = version(c.launch)
	return c, nil
}

func version(l proxies.Launch) string {
	if len(l.Version) == 0 {
		return "of this tree"
	}
	cmd := exec.Command(l.Version[0], l.Version[1:]...)
	cmd.Env = append(os.Environ(), l.Env...)
	out, _ := cmd.CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	line, _, _ = strings.Cut(line, " - http")
	return line
}

func (c *candidate) start(ctx context.Context) error {
	var err error
	c.running, err = process.Start(process.Command{Args: c.launch.Args, Env: c.launch.Env, Output: c.setup.Log})
	if err != nil {
		return err
	}
	for _, port := range []int{c.setup.Ports.Plain, c.setup.Ports.TLS} {
		if err := waitPort(ctx, port, c.running); err != nil {
			c.stop()
			return fmt.Errorf("%s: %w%s", c.name, err, tail(c.setup.Log))
		}
	}
	return nil
}

func (c *candidate) stop() {
	if c.running != nil {
		c.running.Stop()
		c.running = nil
	}
}

// quiet empties the logs, which would fill the disk in a long run.
func (c *candidate) quiet() {
	logs, _ := filepath.Glob(filepath.Join(c.setup.Dir, "*.log"))
	for _, l := range append(logs, c.setup.Log) {
		if l != os.DevNull {
			_ = os.Truncate(l, 0)
		}
	}
}

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// freePorts returns ports that nobody has on loopback, neither TCP nor UDP.
func freePorts(n int) ([]int, error) {
	var ports []int
	for len(ports) < n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		// Held until all are found, so that none is found twice.
		defer l.Close()
		port := l.Addr().(*net.TCPAddr).Port
		if c, err := net.ListenPacket("udp", local(port)); err == nil {
			c.Close()
			ports = append(ports, port)
		}
	}
	return ports, nil
}

func waitPort(ctx context.Context, port int, p *process.Running) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for again := time.NewTicker(20 * time.Millisecond); ; {
		conn, err := net.Dial("tcp", local(port))
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.Ended():
			return errors.New("has ended instead of listening")
		case <-ctx.Done():
			return fmt.Errorf("does not listen: %w", err)
		case <-again.C:
		}
	}
}

// tail is the end of what a program said, to go behind an error.
func tail(file string) string {
	text, _ := os.ReadFile(file)
	if len(text) > 600 {
		text = text[len(text)-600:]
	}
	if len(text) == 0 {
		return ""
	}
	return ":\n" + strings.TrimSpace(string(text))
}
