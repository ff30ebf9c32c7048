package host

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/sluice-gateway/sluice/test/cluster/plan"
)

// startNode boots node i: a process tree in namespaces of its own. What is in
// the node's folder is what a disk would hold, and is there after a reboot.
func (c *cluster) startNode(i int) error {
	if err := removeCgroup(i); err != nil {
		return err
	}
	if err := addCgroup(i); err != nil {
		return err
	}
	cmd := exec.Command(c.plan.Program("cluster"), "node", c.plan.File("plan.json"), strconv.Itoa(i)) //nolint:gosec // Our own program.
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
	}
	cmd.Env = append(os.Environ(), "PATH="+c.plan.Bin+":"+os.Getenv("PATH"))
	pr, err := c.processes.start(plan.NodeName(i), cmd)
	if err != nil {
		return err
	}
	if err := plug(c.plan, i, cmd.Process.Pid); err != nil {
		return err
	}
	// The node waits for this line before it looks for its link, and ends when
	// its standard input does.
	if _, err := fmt.Fprintln(pr.stdin, "plugged"); err != nil {
		return fmt.Errorf("%s ended at once: %s", plan.NodeName(i), tail(c.plan.Log(plan.NodeName(i))))
	}
	return c.reroute()
}

// stopNode ends node i as a power cut does.
func (c *cluster) stopNode(i int) error {
	if err := c.processes.kill(plan.NodeName(i)); err != nil {
		return err
	}
	unplug(i)
	if err := c.reroute(); err != nil {
		return err
	}
	return removeCgroup(i)
}

// reroute sends cluster IPs and load balancers' addresses to the first node that
// is up, as MetalLB's layer 2 mode has one node answer for an address.
func (c *cluster) reroute() error {
	for i := 1; i <= c.plan.Nodes; i++ {
		if pr := c.processes.get(plan.NodeName(i)); pr != nil && pr.running() {
			return route(c.plan, i, c.plan.Routed())
		}
	}
	return nil
}

// nodeIndex returns which node a name means; 0 where it means none.
func nodeIndex(name string) int {
	digits, ok := strings.CutPrefix(name, "node")
	if i, err := strconv.Atoi(digits); ok && err == nil {
		return i
	}
	return 0
}
