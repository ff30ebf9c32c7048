package app

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/echo"
	"github.com/sluice-gateway/sluice/operator/engine"
	"github.com/sluice-gateway/sluice/translators/envoy"
	"github.com/sluice-gateway/sluice/translators/goproxy"
	"github.com/sluice-gateway/sluice/translators/haproxy"
)

// languages are what a unit can be printed in.
var languages = []string{"ir", "goproxy", "envoy", "haproxy"}

type translateFlags struct{ to, gateway, engine string }

func newTranslate(streams Streams) *cobra.Command {
	f := &translateFlags{}
	cmd := &cobra.Command{
		Use:   "translate DIR",
		Short: "Print what a directory is translated to, as YAML without secrets",
		Long: "Prints one YAML document for each Gateway: the neutral model (--to ir), or what the\n" +
			"proxy would read (--to goproxy, envoy, haproxy), whichever serves it. Secrets are never\n" +
			"printed.",
		Example:           "  sluice translate examples/quickstart --to ir --gateway default/demo",
		Args:              exactly("DIR"),
		ValidArgsFunction: directories,
		RunE:              func(cmd *cobra.Command, args []string) error { return translate(cmd.Context(), streams, args[0], f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.to, "to", "ir", strings.Join(languages, ", "))
	flags.StringVar(&f.gateway, "gateway", "", "only this Gateway: namespace/name")
	flags.StringVar(&f.engine, "engine", "", "dataplane for every GatewayClass of Sluice: "+strings.Join(planeNames(), ", ")+" (default: by its controllerName)")
	oneOf{"to", nil, languages}.register(cmd)
	oneOf{"engine", nil, planeNames()}.register(cmd)
	return cmd
}

func translate(ctx context.Context, streams Streams, root string, f *translateFlags) error {
	if err := (oneOf{"to", &f.to, languages}).check(); err != nil {
		return err
	}
	l, err := load(ctx, root, f.engine, echo.NewCheck)
	if err != nil {
		return err
	}
	for _, p := range l.problems.all() {
		_, _ = fmt.Fprintln(streams.Err, p)
	}
	units, err := l.pick(f.gateway)
	if err != nil {
		return err
	}
	for i, u := range units {
		if i > 0 {
			_, _ = fmt.Fprintln(streams.Out, "---")
		}
		text, err := render(u, f.to)
		if err != nil {
			return err
		}
		if _, err := streams.Out.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// pick returns the units that were asked for.
func (l *loaded) pick(gateway string) ([]*engine.Unit, error) {
	var units []*engine.Unit
	var names []string
	for i := range l.snapshot.Units {
		u := &l.snapshot.Units[i]
		if u.Output.Proxy == nil {
			continue
		}
		name := u.Owner.Namespace + "/" + u.Owner.Name
		names = append(names, name)
		if gateway == "" || gateway == name {
			units = append(units, u)
		}
	}
	switch {
	case len(names) == 0:
		return nil, fmt.Errorf("no Gateway here can be served: sluice run --once says why")
	case len(units) == 0:
		return nil, fmt.Errorf("--gateway is %q: there is %s", gateway, strings.Join(names, ", "))
	}
	return units, nil
}

func render(u *engine.Unit, to string) ([]byte, error) {
	unit := &ir.Unit{Proxy: u.Output.Proxy, Endpoints: u.Endpoints}
	switch to {
	case "goproxy":
		return yaml.Marshal(goproxy.Translate(unit, nil))
	case "envoy":
		return yaml.Marshal(envoy.Translate(unit, envoy.Target{Address: netip.IPv4Unspecified(), SystemCAs: envoy.UsualCAs}, nil))
	case "haproxy":
		return yaml.Marshal(haproxy.Translate(unit, haproxy.Target{Address: netip.IPv4Unspecified()}, nil))
	default:
		return yaml.Marshal(unit)
	}
}
