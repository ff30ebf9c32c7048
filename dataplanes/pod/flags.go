package pod

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/ir"
)

// flags are those of every program in a pod.
type flags struct {
	unit     string
	operator string
	token    string
	ca       string
	state    string
	admin    string
	node     string
	pod      string
	lameDuck time.Duration
	// runDir is an agent's.
	runDir string
}

func (f *flags) register(cmd *cobra.Command) {
	set := cmd.Flags()
	set.StringVar(&f.unit, "unit", "", "what this pod serves, as Kind/namespace/name, such as Gateway/default/web")
	set.StringVar(&f.operator, "operator", "", "the operator's host:port; its certificate must be for the host")
	set.StringVar(&f.token, "token-file", "", "this pod's token for the operator; read anew for each stream")
	set.StringVar(&f.ca, "ca-file", "", "CAs of the operator's certificate, PEM; read anew for each connection")
	set.StringVar(&f.state, "state-dir", "", "where the last good set is kept across restarts, private keys included: a volume in memory (default: nowhere)")
	set.StringVar(&f.admin, "admin", fmt.Sprintf(":%d", dataplanes.AdminPort), "address of /metrics, /healthz and /readyz")
	set.StringVar(&f.node, "node", "", "this pod's node, for node hints of EndpointSlices (default: as the operator says)")
	set.DurationVar(&f.lameDuck, "stop-delay", 5*time.Second, "how long new connections are taken after SIGTERM, so that the endpoint is out of use before they are refused; clients are asked to go meanwhile")
	f.pod = os.Getenv("POD_NAME")
}

// owner reads --unit. A Gateway's name has no slash, so this form is no joined
// key: it is taken apart here and never put together.
func (f *flags) owner() (ir.Object, error) {
	parts := strings.Split(f.unit, "/")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return ir.Object{}, fmt.Errorf("--unit is %q: want Kind/namespace/name, such as Gateway/default/web", f.unit)
	}
	return ir.Object{Kind: parts[0], Namespace: parts[1], Name: parts[2]}, nil
}

func (f *flags) check() error {
	var all []error
	for _, required := range []struct{ name, value string }{
		{"--operator", f.operator}, {"--token-file", f.token}, {"--ca-file", f.ca},
	} {
		if required.value == "" {
			all = append(all, fmt.Errorf("%s is not set; --help lists the flags", required.name))
		}
	}
	if f.lameDuck < 0 {
		all = append(all, fmt.Errorf("--stop-delay is %v: want 0 or more", f.lameDuck))
	}
	return errors.Join(all...)
}
