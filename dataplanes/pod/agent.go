package pod

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/envoy"
	"github.com/sluice-gateway/sluice/dataplanes/haproxy"
)

// agents are the dataplanes whose proxy is a program of its own, which this one
// is the parent of.
func agents() []dataplanes.Dataplane {
	return []dataplanes.Dataplane{envoy.Dataplane{}, haproxy.Dataplane{}}
}

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
			if err := emptied(f.runDir); err != nil {
				return fmt.Errorf("--run-dir: %w", err)
			}
			if err := complete(plane); err != nil {
				return err
			}
			return f.run(cmd.Context(), streams, plane)
		},
	}
	cmd.Flags().StringVar(&name, "dataplane", "", "which proxy: "+strings.Join(agentNames(), " or "))
	cmd.Flags().StringVar(&f.runDir, "run-dir", "", "where the proxy's sockets and files are: a volume in memory, private keys included, emptied at the start (default: the system's folder for temporary files)")
	f.register(cmd)
	return cmd
}

// emptied takes away what a container that was killed has left.
func emptied(dir string) error {
	if dir == "" {
		return nil
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range left {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, entry.Name())))
	}
	return err
}

// complete says what the image lacks. A pod of it must not become ready: it would
// take the place of those that serve.
func complete(plane dataplanes.Dataplane) error {
	if p, ok := plane.(interface{ Check() error }); ok {
		return p.Check()
	}
	return nil
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
