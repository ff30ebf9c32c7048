package app

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/operator/echo"
	"github.com/sluice-gateway/sluice/operator/engine"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
	"github.com/sluice-gateway/sluice/operator/source/dir"
	"github.com/sluice-gateway/sluice/operator/status/terminal"
)

type runFlags struct {
	engine     string
	portOffset int
	bind       string
	once       bool
	admin      string
	accessLog  bool
	zone       string
	node       string
	echo       bool
	noColor    bool
	output     string
}

func newRun(streams Streams) *cobra.Command {
	f := &runFlags{}
	cmd := &cobra.Command{
		Use:   "run DIR",
		Short: "Serve a directory of Gateway API YAML on this machine",
		Long: "Serves a directory of YAML: Gateways listen on this machine, edits apply at once,\n" +
			"and the status of each object is shown. What an edit breaks keeps its last good\n" +
			"state. A Service with the annotation " + echo.Annotation + ": \"2\" has two echo servers\n" +
			"behind it; --echo gives one to every Service without EndpointSlices.",
		Example:           "  sluice run examples/quickstart",
		Args:              exactly("DIR"),
		ValidArgsFunction: directories,
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.once {
				return runOnce(cmd.Context(), streams, args[0], f)
			}
			return run(cmd.Context(), streams, args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.engine, "engine", "", "dataplane for every GatewayClass of Sluice: "+strings.Join(planeNames(), ", ")+" (default: by its controllerName)")
	flags.IntVar(&f.portOffset, "port-offset", 0, "added to every listener's port, so that port 80 needs no root")
	flags.StringVar(&f.bind, "bind", "127.0.0.1", "address to listen at; on 127.0.0.1, Gateways whose ports collide get 127.0.0.2 and so on")
	flags.BoolVar(&f.once, "once", false, "check the directory, print every status and exit: 1 if anything is not accepted")
	flags.StringVar(&f.admin, "admin", "127.0.0.1:0", "address of /metrics, /healthz and /readyz (port 0 turns them off)")
	flags.BoolVar(&f.accessLog, "access-log", false, "write the access log to standard error, one JSON object a line")
	flags.StringVar(&f.zone, "zone", "", "topology zone of this machine, for zone hints of EndpointSlices (default: hints are not followed)")
	flags.StringVar(&f.node, "node", "", "node name of this machine, for node hints of EndpointSlices (default: hints are not followed)")
	flags.BoolVar(&f.echo, "echo", false, "an echo server for every Service without EndpointSlices")
	flags.BoolVar(&f.noColor, "no-color", false, "no colours (so does NO_COLOR in the environment)")
	flags.StringVarP(&f.output, "output", "o", "text", "with --once: text or json")
	oneOf{"engine", nil, planeNames()}.register(cmd)
	oneOf{"output", nil, []string{"text", "json"}}.register(cmd)
	return cmd
}

// run serves until the context ends, then drains.
func run(ctx context.Context, streams Streams, root string, f *runFlags) error {
	opts, err := f.engineOptions(streams)
	if err != nil {
		return err
	}
	wrong := &problems{}
	files := dir.New(dir.Options{Root: root, Report: wrong.inFiles})
	pool := echo.NewPool(files, f.echo)
	pool.Report(wrong.inEcho)
	// The echo servers go last, so that requests that drain still have backends.
	defer pool.Close()
	sink := terminal.New(f.terminal(streams, root, files))
	wrong.locate, wrong.tell = files, sink.Problems
	opts.Source, opts.Sink = pool, sink
	shown, stop := context.WithCancel(ctx)
	defer stop()
	go sink.Run(shown)
	if err := engine.New(opts).Run(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintln(streams.Out, "  drained")
	return err
}

func (f *runFlags) terminal(streams Streams, root string, files *dir.Source) terminal.Options {
	return terminal.Options{
		Out: streams.Out, Title: "Sluice serves " + root, Colour: streams.TTY && !f.noColor && !streams.NoColour,
		Columns: streams.Columns, Served: true, Locate: places(files),
	}
}

func (f *runFlags) engineOptions(streams Streams) (engine.Options, error) {
	opts := engine.Options{PortOffset: f.portOffset, Indexes: gatewayapi.Indexes(), Resolve: lookUp}
	var err error
	if opts.Bind, err = netip.ParseAddr(f.bind); err != nil {
		return opts, fmt.Errorf("--bind is %q: want an IP address such as 127.0.0.1 or 0.0.0.0", f.bind)
	}
	admin, err := netip.ParseAddrPort(f.admin)
	if err != nil {
		return opts, fmt.Errorf("--admin is %q: want an address with a port, such as 127.0.0.1:9901", f.admin)
	}
	opts.Local = dataplanes.Options{Admin: admin, Zone: f.zone, Node: f.node}
	if f.accessLog {
		opts.Local.AccessLog = streams.Err
	}
	if opts.Dataplanes, err = dataplanesBy(f.engine); err != nil {
		return opts, err
	}
	opts.Unclaimed = sortedNames(opts.Dataplanes)
	opts.FrontEnds = frontEnds(opts.Dataplanes, gatewayapi.Options{ReservedPorts: f.reserved(opts.Bind, admin)})
	return opts, nil
}

// reserved are the ports that listeners cannot have because the admin server
// does, as Gateways name them.
func (f *runFlags) reserved(bind netip.Addr, admin netip.AddrPort) map[uint16]string {
	port := int(admin.Port()) - f.portOffset
	same := bind == admin.Addr() || bind.IsUnspecified() || admin.Addr().IsUnspecified()
	if admin.Port() == 0 || !same || port < 1 || port > 65535 {
		return nil
	}
	why := fmt.Sprintf("--admin %s has it", admin)
	if f.portOffset != 0 {
		why += fmt.Sprintf(" with --port-offset %d", f.portOffset)
	}
	return map[uint16]string{uint16(port): why}
}

// lookUp resolves names of ExternalName Services as this machine does.
func lookUp(ctx context.Context, name string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
}
