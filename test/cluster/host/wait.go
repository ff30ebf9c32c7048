package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/test/cluster/plan"
)

// patience is how long one condition may take. A machine that is busy with
// something else is slow, and not broken.
const patience = 3 * time.Minute

// kubectl runs kubectl as the administrator.
func (c *cluster) kubectl(ctx context.Context, stdin io.Reader, arguments ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.plan.Program("kubectl"), append([]string{"--kubeconfig", c.plan.Kubeconfig("admin")}, arguments...)...) //nolint:gosec // Arguments of our own.
	var out, problem bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &problem
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(arguments, " "), err, strings.TrimSpace(problem.String()))
	}
	return out.String(), nil
}

// until asks until there is no error, a process is lost, or patience is over.
func (c *cluster) until(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		problem := ask(ctx)
		if problem == nil {
			return nil
		}
		if err := c.processes.lost(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), problem)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// asks returns a question to the API server that kubectl's exit code answers.
func (c *cluster) asks(arguments ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := c.kubectl(ctx, nil, arguments...)
		return err
	}
}

func (c *cluster) serves(ctx context.Context) error {
	return c.until(ctx, c.asks("get", "--raw", "/readyz"))
}

func (c *cluster) nodesReady(ctx context.Context) error {
	for i := 1; i <= c.plan.Nodes; i++ {
		if err := c.nodeReady(ctx, i, c.began); err != nil {
			return err
		}
	}
	return nil
}

// nodeReady waits until node i says that it is ready, and said so after since: a
// node that was cut off is ready in the eyes of the API server for a while.
func (c *cluster) nodeReady(ctx context.Context, i int, since time.Time) error {
	const heartbeat = `jsonpath={range .status.conditions[?(@.type=="Ready")]}{.status} {.lastHeartbeatTime}{end}`
	name := plan.NodeName(i)
	return c.until(ctx, func(ctx context.Context) error {
		out, err := c.kubectl(ctx, nil, "get", "node", name, "-o", heartbeat)
		if err != nil {
			return err
		}
		status, at, _ := strings.Cut(out, " ")
		// The heartbeat has no fractions of a second.
		if t, err := time.Parse(time.RFC3339, at); err != nil || status != "True" || t.Before(since.Truncate(time.Second)) {
			return fmt.Errorf("%s is not ready: %q", name, out)
		}
		return nil
	})
}

func (c *cluster) dnsReady(ctx context.Context) error {
	return c.until(ctx, c.asks("-n", "kube-system", "wait", "--for=condition=Available", "deployment/coredns", "--timeout=5s"))
}

func (c *cluster) accountReady(ctx context.Context) error {
	return c.until(ctx, c.asks("-n", "default", "get", "serviceaccount", "default"))
}
