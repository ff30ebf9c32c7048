package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/test/cluster/audit"
	"github.com/sluice-gateway/sluice/test/cluster/plan"
)

// Kubectl runs kubectl as the administrator and returns its output. An error
// has what kubectl says.
func (c *Cluster) Kubectl(ctx context.Context, arguments ...string) (string, error) {
	return c.kubectl(ctx, nil, arguments)
}

// Apply applies manifests on the server's side.
func (c *Cluster) Apply(ctx context.Context, manifests []byte) error {
	_, err := c.kubectl(ctx, bytes.NewReader(manifests), []string{"apply", "--server-side", "--force-conflicts", "-f", "-"})
	return err
}

func (c *Cluster) kubectl(ctx context.Context, stdin io.Reader, arguments []string) (string, error) {
	cmd := exec.CommandContext(ctx, c.plan.Program("kubectl"), append([]string{"--kubeconfig", c.Kubeconfig()}, arguments...)...) //nolint:gosec // What the test asks for.
	cmd.Stdin = stdin
	return output(cmd)
}

// output returns what a command prints; an error has what it says besides.
func output(cmd *exec.Cmd) (string, error) {
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(problem.String()))
	}
	return out.String(), nil
}

// InNode runs a command in the namespaces of node i, which counts from 1, and
// returns its output. The node sees the files of the host, but for those folders
// that a node has its own of.
func (c *Cluster) InNode(ctx context.Context, i int, argv ...string) (string, error) {
	cmd, err := c.NodeCommand(ctx, i, argv...)
	if err != nil {
		return "", err
	}
	return output(cmd)
}

// NodeCommand returns a command that runs in the namespaces of node i.
func (c *Cluster) NodeCommand(ctx context.Context, i int, argv ...string) (*exec.Cmd, error) {
	pid, err := c.pid(ctx, plan.NodeName(i))
	if err != nil {
		return nil, err
	}
	arguments := []string{"-t", strconv.Itoa(pid), "-m", "-p", "-n", "-u", "-i", "env", "PATH=" + c.plan.Bin + ":" + os.Getenv("PATH")}
	return exec.CommandContext(ctx, "nsenter", append(arguments, argv...)...), nil //nolint:gosec // What the test asks for.
}

// LoadImage imports image archives into every node that runs, under the names
// that are in them. A pod uses them with imagePullPolicy Never or IfNotPresent.
func (c *Cluster) LoadImage(ctx context.Context, archives ...string) error {
	for i := 1; i <= c.plan.Nodes; i++ {
		for _, archive := range archives {
			file, err := filepath.Abs(archive)
			if err != nil {
				return err
			}
			if _, err := c.InNode(ctx, i, "ctr", "-n", "k8s.io", "images", "import", "--local", file); err != nil {
				return err
			}
		}
	}
	return nil
}

// LoadProgram makes an image of a static program of this machine's architecture,
// as releases are made, and loads it. Its entry point is the program, its user
// 65532.
func (c *Cluster) LoadProgram(ctx context.Context, reference, program string) error {
	dir, err := os.MkdirTemp(c.plan.Dir, "image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	archive := filepath.Join(dir, "image.tar")
	cmd := exec.CommandContext(ctx, c.plan.Program("images"), "pack", "-out", archive, "-ref", reference, program) //nolint:gosec // What the test asks for.
	if _, err := output(cmd); err != nil {
		return err
	}
	return c.LoadImage(ctx, archive)
}

// Audit yields the requests to the API server that a filter wants, in the order
// in which they ended. An event is in the log a moment after its answer.
func (c *Cluster) Audit(f audit.Filter) iter.Seq2[audit.Event, error] {
	return func(yield func(audit.Event, error) bool) {
		log, err := os.Open(c.plan.Audit())
		if err != nil {
			yield(audit.Event{}, err)
			return
		}
		defer log.Close()
		audit.Read(log, f)(yield)
	}
}

// Logs returns the log of a process: kube-apiserver, metallb, node1, ...
func (c *Cluster) Logs(name string) (string, error) {
	data, err := os.ReadFile(c.plan.Log(name))
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("there is no process %q", name)
	}
	return string(data), err
}
