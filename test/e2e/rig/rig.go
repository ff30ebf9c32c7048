package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/go-logr/logr"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
	"github.com/sluice-gateway/sluice/test/cluster"
)

// Where Sluice is installed, and by whom it acts.
const (
	SystemNamespace = "sluice-system"
	Operator        = "sluice-operator"
	OperatorUser    = "system:serviceaccount:" + SystemNamespace + ":" + Operator
	// version is the images' tag that the manifests of a checkout name.
	version = "dev"
)

// Asked reports whether somebody wants a cluster to be booted. `go test ./...`
// over every module of a checkout is no such wish; the targets of make are.
func Asked() bool { return os.Getenv("SLUICE_CLUSTER_TEST") != "" }

// Unasked is what a test says that is not run for that reason.
const Unasked = "this boots a cluster, which takes root and minutes: run it by make e2e, make scale or make conformance"

// Options say what to boot.
type Options struct {
	// Nodes is 0 to 3; without nodes nothing is installed but CRDs.
	Nodes int
	// Channel of Gateway API's CRDs: "experimental" (default) or "standard".
	Channel string
	// Dataplanes are those whose proxies' own images the nodes are given, where this
	// machine has the proxy: "envoy", "haproxy".
	Dataplanes []string
	// Keep leaves the cluster running when the program ends.
	Keep bool
}

// Rig is a cluster with Sluice in it.
type Rig struct {
	*cluster.Cluster
	Client client.WithWatch
	Config *rest.Config
	// Root is the checkout's folder.
	Root string
}

// Boot starts a cluster, builds and loads the images as releases are built, and
// installs Gateway API's CRDs and Sluice as the documentation says.
func Boot(ctx context.Context, o Options) (*Rig, error) {
	// What the clients have to say is said by their errors.
	log.SetLogger(logr.Discard())
	root, err := checkout()
	if err != nil {
		return nil, err
	}
	c, err := cluster.Start(ctx, cluster.Options{Nodes: o.Nodes, Detached: o.Keep})
	if err != nil {
		return nil, err
	}
	r := &Rig{Cluster: c, Config: c.Config(), Root: root}
	if err := r.prepare(ctx, o); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return r, nil
}

func (r *Rig) prepare(ctx context.Context, o Options) error {
	if err := r.installCRDs(ctx, o.Channel); err != nil {
		return err
	}
	if o.Nodes > 0 {
		if err := r.loadImages(ctx, o.Dataplanes); err != nil {
			return err
		}
		if err := r.install(ctx); err != nil {
			return err
		}
	}
	return r.connect()
}

// connect makes the client. Kinds are looked up by name, so the CRDs are there.
func (r *Rig) connect() error {
	scheme := clientgoscheme.Scheme
	for _, add := range []func() error{
		func() error { return gatewayv1.Install(scheme) },
		func() error { return v1alpha1.AddToScheme(scheme) },
	} {
		if err := add(); err != nil {
			return err
		}
	}
	var err error
	r.Client, err = client.NewWithWatch(r.Config, client.Options{Scheme: scheme})
	return err
}

// installCRDs applies those of a channel, from the module that the product is
// built with.
func (r *Rig) installCRDs(ctx context.Context, channel string) error {
	if channel == "" {
		channel = "experimental"
	}
	dir, err := r.output(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api")
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "config", "crd", channel, "gateway*.yaml"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("the module of Gateway API has no CRDs of the channel %q: %w", channel, err)
	}
	arguments := []string{"apply", "--server-side"}
	for _, file := range files {
		arguments = append(arguments, "-f", file)
	}
	if _, err := r.Kubectl(ctx, arguments...); err != nil {
		return err
	}
	_, err = r.Kubectl(ctx, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
	return err
}

// loadImages builds the product's images for this machine and gives them to the
// nodes.
func (r *Rig) loadImages(ctx context.Context, dataplanes []string) error {
	out := filepath.Join(r.Root, ".bin", "images-e2e")
	if _, err := r.output(ctx, r.Plan().Program("images"), "-version", version, "-out", out, "-arch", runtime.GOARCH); err != nil {
		return err
	}
	archives, err := filepath.Glob(filepath.Join(out, "sluice*-"+runtime.GOARCH+".tar"))
	if err != nil {
		return err
	}
	if err := r.LoadImage(ctx, archives...); err != nil {
		return err
	}
	return r.loadProxies(ctx, dataplanes, out)
}

// Image is the name of the image with the program sluice.
func (r *Rig) Image() string { return "ghcr.io/sluice-gateway/sluice:" + version }

// ProxyImage is the name of the image with the program sluice-proxy.
func (r *Rig) ProxyImage() string { return "ghcr.io/sluice-gateway/sluice-proxy:" + version }

func (r *Rig) install(ctx context.Context) error {
	if _, err := r.Kubectl(ctx, "apply", "-k", filepath.Join(r.Root, "config", "default")); err != nil {
		return err
	}
	_, err := r.Kubectl(ctx, "-n", SystemNamespace, "rollout", "status", "deployment/"+Operator, "--timeout=180s")
	if err != nil {
		logs, _ := r.Kubectl(ctx, "-n", SystemNamespace, "logs", "deployment/"+Operator, "--tail=50")
		return fmt.Errorf("%w; its log ends with:\n%s", err, logs)
	}
	return nil
}

// output runs a command in the checkout.
func (r *Rig) output(ctx context.Context, name string, arguments ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, arguments...)
	cmd.Dir = r.Root
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return "", fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// checkout finds the main module's folder above the working one.
func checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "config", "default", "kustomization.yaml")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("these tests run in a checkout: no config/default above the working folder")
}
