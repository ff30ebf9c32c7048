package pod

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/delivery/client"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy"
	"github.com/sluice-gateway/sluice/dataplanes/release"
)

// Streams are where the program writes: the access log to Out, all else to Err.
type Streams struct{ Out, Err io.Writer }

// Main runs the command line until the context ends and all has drained. It
// returns the exit code: 0, or 2 where the program could not do its work.
func Main(ctx context.Context, args []string, streams Streams) int {
	root := &cobra.Command{
		Use: "sluice-proxy", Short: "What runs in the pods of a Sluice Gateway", Version: release.Version(),
		SilenceUsage: true, SilenceErrors: true, CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	root.SetArgs(args)
	root.AddCommand(newProxy(streams), newAgent(streams), newInstall())
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(streams.Err, "sluice-proxy: %v\n", err)
		return 2
	}
	return 0
}

func newProxy(streams Streams) *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use: "proxy", Short: "Serve one Gateway with the built-in Go proxy, as its operator says", Args: cobra.NoArgs,
		Long: "Serves one Gateway with the built-in Go proxy. What to serve comes from the operator over a\n" +
			"stream that this program opens; while the operator is away, what is in force stays so.\n" +
			"SIGTERM drains, a second one ends the program at once.",
		Example: "  sluice-proxy proxy --unit Gateway/default/web --operator sluice-operator.sluice-system.svc:9443 \\\n" +
			"    --token-file /var/run/sluice/token/token --ca-file /var/run/sluice/ca/ca.crt",
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), streams, goproxy.Dataplane{}) },
	}
	f.register(cmd)
	return cmd
}

// run serves with a dataplane until the context ends, then drains.
func (f *flags) run(ctx context.Context, streams Streams, plane dataplanes.Dataplane) error {
	unit, err := f.owner()
	if err := errors.Join(err, f.check()); err != nil {
		return err
	}
	log := logr.FromSlogHandler(slog.NewJSONHandler(streams.Err, nil))
	registry := prometheus.NewRegistry()
	admin, err := listenAdmin(ctx, f.admin, registry)
	if err != nil {
		return err
	}
	defer admin.http.Close()
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ending := context.AfterFunc(ctx, func() {
		admin.ending.Store(true)
		log.Info("The pod is about to end: it takes connections for a while, then drains", "delay", f.lameDuck.String())
		time.AfterFunc(f.lameDuck, stop)
	})
	defer ending()
	leaving := ctx.Done()
	return client.Run(serving, client.Options{
		Unit: unit, Pod: f.pod, Operator: f.operator, TokenFile: f.token, CAFile: f.ca, StateDir: f.state, Node: f.node,
		Program: release.Version(), Features: plane.Features(), Address: everywhere(ctx),
		Start: func(ctx context.Context, zone, node string) (dataplanes.Local, error) {
			return plane.Start(ctx, dataplanes.Options{Zone: zone, Node: node, AccessLog: streams.Out, Dir: f.runDir, Leaving: leaving, Metrics: registry})
		},
		Serves: admin.active.Store, Draining: ctx.Done(), Log: log, Metrics: registry,
	})
}

// everywhere is the address that stands for all of the pod's: of both families
// where the pod has IPv6.
func everywhere(ctx context.Context) netip.Addr {
	var config net.ListenConfig
	ln, err := config.Listen(ctx, "tcp", "[::]:0")
	if err != nil {
		return netip.IPv4Unspecified()
	}
	ln.Close()
	return netip.IPv6Unspecified()
}
