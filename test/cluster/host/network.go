package host

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/test/cluster/plan"
)

// ip runs ip(8).
func ip(arguments ...string) error {
	out, err := exec.Command("ip", arguments...).CombinedOutput() //nolint:gosec // Arguments of our own.
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(arguments, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// each runs ip with several lists of arguments and returns the first failure.
func each(commands ...[]string) error {
	for _, arguments := range commands {
		if err := ip(arguments...); err != nil {
			return err
		}
	}
	return nil
}

// addBridge makes the host's end of the network. The host gets no packet filter
// rules and forwards nothing.
func addBridge(p plan.Plan) error {
	commands := [][]string{{"link", "add", plan.Bridge, "type", "bridge", "mcast_snooping", "0"}}
	for _, address := range p.Host() {
		commands = append(commands, addAddress(address, plan.Bridge))
	}
	return each(append(commands, []string{"link", "set", plan.Bridge, "up"})...)
}

// addAddress skips duplicate address detection: without a second machine it does
// nothing but take a second.
func addAddress(address netip.Prefix, link string) []string {
	arguments := []string{"addr", "add", address.String(), "dev", link}
	if address.Addr().Is6() {
		arguments = append(arguments, "nodad")
	}
	return arguments
}

// plug gives node i its link. Both ends go when the node's namespace does.
func plug(p plan.Plan, i, pid int) error {
	unplug(i)
	err := each(
		[]string{"link", "add", plan.Link(i), "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(pid)},
		[]string{"link", "set", plan.Link(i), "master", plan.Bridge, "up"},
	)
	if err != nil {
		return err
	}
	return route(p, i, p.NodePods(i))
}

// unplug does at once what the kernel does a moment after a node's end.
func unplug(i int) {
	// It may be gone already.
	_ = ip("link", "del", plan.Link(i))
}

// route sends prefixes to node i.
func route(p plan.Plan, i int, prefixes []netip.Prefix) error {
	for _, prefix := range prefixes {
		for _, via := range p.Node(i) {
			if via.Addr().Is4() != prefix.Addr().Is4() {
				continue
			}
			if err := ip("route", "replace", prefix.String(), "via", via.Addr().String(), "dev", plan.Bridge); err != nil {
				return err
			}
		}
	}
	return nil
}

const cgroups = "/sys/fs/cgroup"

// addCgroup makes node i's part of each hierarchy: one with cgroup 2, several
// with cgroup 1.
func addCgroup(i int) error {
	name := fmt.Sprint(plan.Cgroup, i)
	roots := hierarchies()
	for _, root := range roots {
		if err := os.MkdirAll(filepath.Join(root, name), 0o755); err != nil { //nolint:gosec // As all cgroups.
			return err
		}
		inherit(root, name)
	}
	return nil
}

// hierarchies returns the roots of all hierarchies.
func hierarchies() []string {
	if _, err := os.Stat(filepath.Join(cgroups, "cgroup.controllers")); err == nil {
		return []string{cgroups}
	}
	var roots []string
	entries, _ := os.ReadDir(cgroups)
	for _, entry := range entries {
		if entry.IsDir() {
			roots = append(roots, filepath.Join(cgroups, entry.Name()))
		}
	}
	return roots
}

// inherit gives a new cgroup the processors and controllers of its parent, where
// the hierarchy has such: with cgroup 1 a cpuset starts empty, with cgroup 2 so
// does the list of controllers.
func inherit(root, name string) {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		if data, err := os.ReadFile(filepath.Join(root, file)); err == nil {
			_ = os.WriteFile(filepath.Join(root, name, file), data, 0o600)
		}
	}
	if root != cgroups {
		return
	}
	data, _ := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	for _, controller := range strings.Fields(string(data)) {
		_ = os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+"+controller), 0o600)
	}
}

// removeCgroup removes node i's cgroups, which are empty once the node's first
// process is reaped; the kernel may take a moment to see it.
func removeCgroup(i int) error {
	const patience = 5 * time.Second
	var problem error
	for start := time.Now(); time.Since(start) < patience; time.Sleep(50 * time.Millisecond) {
		problem = nil
		for _, root := range hierarchies() {
			problem = errors.Join(problem, removeTree(filepath.Join(root, fmt.Sprint(plan.Cgroup, i))))
		}
		if problem == nil {
			return nil
		}
	}
	return problem
}

// removeTree removes folders from the leaves on; the files of a cgroup cannot be
// removed and go with it.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		if entry.IsDir() {
			err = errors.Join(err, removeTree(filepath.Join(dir, entry.Name())))
		}
	}
	if err != nil {
		return err
	}
	return syscall.Rmdir(dir)
}
