package node

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/test/cluster/plan"
)

// machine is the node that this process is.
type machine struct {
	plan  plan.Plan
	index int
	// dir is what a disk would hold: it is there after a reboot.
	dir string
}

// Run boots node i and keeps it until one of its programs ends, or stdin does.
// The caller is the first process of new namespaces, and returns from main when
// Run does: the kernel ends everything else with it.
func Run(p plan.Plan, i int, stdin io.Reader) error {
	m := &machine{plan: p, index: i, dir: p.File(plan.NodeName(i))}
	input := bufio.NewReader(stdin)
	if _, err := input.ReadString('\n'); err != nil {
		return fmt.Errorf("nobody gave the node its link: %w", err)
	}
	for _, step := range []func() error{m.name, m.mounts, m.network, m.configure} {
		if err := step(); err != nil {
			return err
		}
	}
	reaper := newReaper()
	go m.start(reaper)
	go func() {
		_, _ = io.Copy(io.Discard, input)
		reaper.fail(errors.New("the process that keeps the cluster has ended"))
	}()
	return reaper.run()
}

func (m *machine) name() error { return syscall.Sethostname([]byte(plan.NodeName(m.index))) }

// mounts gives the node its own of the folders whose paths are fixed. A start is
// a reboot: no sandbox survives it.
func (m *machine) mounts() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return fmt.Errorf("sharing mounts with the node's pods: %w", err)
	}
	for _, dir := range plan.MountPoints() {
		if err := m.mount(dir); err != nil {
			return err
		}
	}
	for _, dir := range []string{"/run/containerd", "/run/netns", "/var/lib/cni"} {
		if err := empty(dir); err != nil {
			return err
		}
	}
	return syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, "")
}

func (m *machine) mount(dir string) error {
	own := filepath.Join(m.dir, dir)
	if err := os.MkdirAll(own, 0o755); err != nil { //nolint:gosec // As on any node.
		return err
	}
	if err := syscall.Mount(own, dir, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting %s over %s: %w", own, dir, err)
	}
	return syscall.Mount("", dir, "", syscall.MS_SHARED, "")
}

func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, entry.Name())))
	}
	return err
}

// start starts the node's programs, each when what it needs is there.
func (m *machine) start(r *reaper) {
	if err := m.startAll(r); err != nil {
		r.fail(err)
	}
}

func (m *machine) startAll(r *reaper) error {
	if err := r.start("containerd", "-c", filepath.Join(m.dir, "containerd.toml")); err != nil {
		return err
	}
	if err := dial("unix", "/run/containerd/containerd.sock"); err != nil {
		return err
	}
	if err := m.importImages(r); err != nil {
		return err
	}
	server, err := url.Parse(plan.APIServer)
	if err != nil {
		return err
	}
	if err := dial("tcp", server.Host); err != nil {
		return err
	}
	name := plan.NodeName(m.index)
	if err := r.start("kubelet", "--config="+filepath.Join(m.dir, "kubelet.json"), "--kubeconfig="+m.plan.Kubeconfig(name),
		"--hostname-override="+name, "--node-ip="+plan.Addresses(m.plan.Node(m.index))); err != nil {
		return err
	}
	return r.start("kube-proxy", "--config="+filepath.Join(m.dir, "kube-proxy.json"))
}

// importImages gives a new node the system's images.
func (m *machine) importImages(r *reaper) error {
	mark := filepath.Join(m.dir, "images-imported")
	if _, err := os.Stat(mark); err == nil {
		return nil
	}
	images, err := filepath.Glob(filepath.Join(m.plan.Images, "*.tar"))
	if err != nil {
		return err
	}
	for _, image := range images {
		if err := r.do("ctr", "-n", "k8s.io", "images", "import", "--local", image); err != nil {
			return err
		}
	}
	return os.WriteFile(mark, nil, 0o600)
}

// dial waits until somebody listens.
func dial(network, address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for {
		connection, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			return connection.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("nobody listens at %s: %w", address, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func look(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("%s was not built: %w", program, err)
	}
	return path, nil
}
