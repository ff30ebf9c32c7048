package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-gateway/sluice/test/cluster/host"
	"github.com/sluice-gateway/sluice/test/cluster/plan"
	"github.com/sluice-gateway/sluice/test/cluster/programs"
)

// module is where the sources are that the programs are built from.
const module = "github.com/sluice-gateway/sluice/test/cluster"

// ErrRuns is the error of Start where a cluster runs already.
var ErrRuns = host.ErrRuns

// Options say which cluster to start.
type Options struct {
	// Nodes is 0 to 3. Without nodes there is the control plane, and no pod runs.
	Nodes int
	// DualStack gives Services and pods IPv6 addresses beside those of IPv4.
	DualStack bool
	// Dir is an absolute folder to keep the state in, in a folder of its own; the
	// cache folder where it is empty. It is no overlay file system.
	Dir string
	// Detached keeps the cluster when the calling program ends.
	Detached bool
	// Progress gets a line for each step; os.Stderr where it is nil.
	Progress io.Writer
}

// Cluster is one that runs.
type Cluster struct {
	plan   plan.Plan
	config *rest.Config
	// keeper is the process that the cluster lives in, where this program has
	// started it to end with it.
	keeper *keeper
}

// Start builds what is not built yet, boots a cluster and waits until its nodes
// are Ready and its DNS answers. It fails with ErrRuns where there is one, and
// says what is missing where the machine lacks something. When the context ends
// before it is done, everything is taken down again; afterwards the context is
// without meaning.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	if o.Progress == nil {
		o.Progress = os.Stderr
	}
	if err := programs.Check(); err != nil {
		return nil, err
	}
	if err := host.Free(); err != nil {
		return nil, err
	}
	p, err := prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	k, err := startKeeper(ctx, p, o.Progress)
	if err != nil {
		return nil, err
	}
	return open(p, k)
}

// prepare builds the programs and makes the plan.
func prepare(ctx context.Context, o Options) (plan.Plan, error) {
	dir := o.Dir
	if dir == "" {
		cache, err := programs.Cache()
		if err != nil {
			return plan.Plan{}, err
		}
		dir = cache
	}
	p := plan.Plan{Dir: filepath.Join(dir, "cluster"), Nodes: o.Nodes, DualStack: o.DualStack, Attached: !o.Detached}
	if err := p.Check(); err != nil {
		return p, err
	}
	source, err := Source(ctx)
	if err != nil {
		return p, err
	}
	set, err := programs.Build(ctx, source, o.Progress)
	p.Bin, p.Images, p.CRDs = set.Bin, set.Images, set.CRDs
	return p, err
}

// Source returns the folder of this module, as the module of the working
// directory sees it.
func Source(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
		}
		return "", fmt.Errorf("looking for the module %s from the working directory: %w", module, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Connect returns the cluster that runs on this machine, whoever started it.
func Connect(ctx context.Context) (*Cluster, error) {
	p, err := plan.Read(plan.Current())
	if err == nil {
		_, err = state(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("no test cluster runs on this machine, or it is not for this user: %w", err)
	}
	return open(p, nil)
}

func open(p plan.Plan, k *keeper) (*Cluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", p.Kubeconfig("admin"))
	if err != nil {
		return nil, err
	}
	config.QPS = -1 // Tests say themselves how much they ask at once.
	return &Cluster{plan: p, config: config, keeper: k}, nil
}

// Stop takes the cluster down, with its state, and returns when nothing is left.
func (c *Cluster) Stop() error {
	if c.keeper != nil {
		return c.keeper.stop()
	}
	return Down(context.Background())
}

// Kubeconfig is the path of the administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string { return c.plan.Kubeconfig("admin") }

// Config returns the administrator's client configuration, without a limit on
// requests a second. It is the caller's to change.
func (c *Cluster) Config() *rest.Config { return rest.CopyConfig(c.config) }

// Plan says which addresses the cluster uses, and where its files are.
func (c *Cluster) Plan() plan.Plan { return c.plan }
