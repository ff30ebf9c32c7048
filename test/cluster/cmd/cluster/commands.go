package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/sluice-gateway/sluice/test/cluster"
	"github.com/sluice-gateway/sluice/test/cluster/host"
	nodes "github.com/sluice-gateway/sluice/test/cluster/node"
	"github.com/sluice-gateway/sluice/test/cluster/plan"
	"github.com/sluice-gateway/sluice/test/cluster/programs"
)

func up(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	count := flags.Int("nodes", 1, "0 to 3; 0 is the control plane only")
	dual := flags.Bool("dual-stack", false, "IPv6 beside IPv4")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	c, err := cluster.Start(ctx, cluster.Options{Nodes: *count, DualStack: *dual, Detached: true})
	if err != nil {
		return err
	}
	show(c)
	return nil
}

func show(c *cluster.Cluster) {
	fmt.Printf("export KUBECONFIG=%s PATH=%s:$PATH\n", c.Kubeconfig(), c.Plan().Bin)
}

func down(ctx context.Context, _ []string) error { return cluster.Down(ctx) }

func environment(ctx context.Context, _ []string) error {
	c, err := cluster.Connect(ctx)
	if err == nil {
		show(c)
	}
	return err
}

func load(ctx context.Context, archives []string) error {
	c, err := cluster.Connect(ctx)
	if err != nil {
		return err
	}
	return c.LoadImage(ctx, archives...)
}

func execute(ctx context.Context, arguments []string) error {
	if len(arguments) < 2 {
		return errors.New("node-exec wants a node's number and a command")
	}
	i, err := strconv.Atoi(arguments[0])
	if err != nil {
		return err
	}
	c, err := cluster.Connect(ctx)
	if err != nil {
		return err
	}
	cmd, err := c.NodeCommand(ctx, i, arguments[1:]...)
	if err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

// stop ends processes of the cluster, as a power cut does.
func stop(ctx context.Context, names []string) error {
	c, err := cluster.Connect(ctx)
	for _, name := range names {
		if err == nil {
			err = c.StopProcess(ctx, name)
		}
	}
	return err
}

func build(ctx context.Context, _ []string) error {
	if missing := programs.Missing(); len(missing) > 0 {
		return programs.Lacking(missing)
	}
	source, err := cluster.Source(ctx)
	if err != nil {
		return err
	}
	set, err := programs.Build(ctx, source, os.Stderr)
	if err == nil {
		fmt.Println(set.Bin)
	}
	return err
}

func missing(context.Context, []string) error {
	fmt.Println(strings.Join(programs.Missing(), " "))
	return nil
}

// serve is the process that a cluster lives in. Its third file takes progress;
// an attached one ends with its standard input.
func serve(ctx context.Context, arguments []string) error {
	if len(arguments) != 1 {
		return errors.New("serve is started by up")
	}
	var p plan.Plan
	if err := json.Unmarshal([]byte(arguments[0]), &p); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if p.Attached {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
	}
	const third = 3
	syscall.CloseOnExec(third)
	progress := os.NewFile(third, "progress")
	err := host.Serve(ctx, p, progress)
	if err != nil {
		// Who asked for the cluster may have gone.
		_, _ = fmt.Fprintln(progress, host.Failed+err.Error())
	}
	return err
}

// node is the first process of a node.
func node(_ context.Context, arguments []string) error {
	if len(arguments) != 2 {
		return errors.New("node is started by serve")
	}
	p, err := plan.Read(arguments[0])
	if err != nil {
		return err
	}
	i, err := strconv.Atoi(arguments[1])
	if err != nil {
		return err
	}
	return nodes.Run(p, i, os.Stdin)
}
