package pod

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/envoy"
)

// agents are the dataplanes whose proxy is a program of its own, which this one
// is the parent of.
func agents() []dataplanes.Dataplane { return []dataplanes.Dataplane{envoy.Dataplane{}} }

func newAgent(streams Streams) *cobra.Command {
	f, name := &flags{}, ""
	cmd := &cobra.Command{
		Use: "agent --dataplane NAME", Short: "Serve one Gateway with another proxy, as its operator says", Args: cobra.NoArgs,
		Long: "Serves one Gateway with a proxy that is a program of its own and is in the same image. This\n" +
			"program is its parent: it receives what to serve, says it in the proxy's words, reports what\n" +
			"the proxy objects to, and drains it. The flags are those of the command proxy.",
		Example: "  sluice-proxy agent --dataplane envoy --unit Gateway/default/web \\\n" +
			"    --operator sluice-operator.sluice-system.svc:9443 \\\n" +
			"    --token-file /var/run/sluice/token/token --ca-file /var/run/sluice/ca/ca.crt",
		RunE: func(cmd *cobra.Command, _ []string) error {
			plane, err := agentOf(name)
			if err != nil {
				return err
			}
			return f.run(cmd.Context(), streams, plane)
		},
	}
	cmd.Flags().StringVar(&name, "dataplane", "", "which proxy: "+strings.Join(agentNames(), " or "))
	f.register(cmd)
	return cmd
}

func agentOf(name string) (dataplanes.Dataplane, error) {
	for _, plane := range agents() {
		if plane.Name() == name {
			return plane, nil
		}
	}
	return nil, fmt.Errorf("--dataplane is %q: want %s", name, strings.Join(agentNames(), " or "))
}

func agentNames() []string {
	var names []string
	for _, plane := range agents() {
		names = append(names, plane.Name())
	}
	return names
}
