package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/sluice-gateway/sluice/dataplanes/release"
)

type operatorFlags struct {
	kubeconfig string
	namespace  string
	identity   string
	namespaces []string
	proxyImage string
	// The images of proxies that others make.
	envoyImage   string
	haproxyImage string

	delivery string
	host     string
	metrics  string
	health   string
	pprof    string

	elect    bool
	logLevel string
}

// proxyImage is what proxies run by default: the image of this very version.
const proxyImage = "ghcr.io/sluice-gateway/sluice-proxy"

// envoyImage is Envoy's own, of the version that translators/envoy writes for. The
// distroless one runs as a user that is not root, by its number.
const envoyImage = "docker.io/envoyproxy/envoy:distroless-v1.40.0"

// haproxyImage is HAProxy's own, of the branch that translators/haproxy writes for,
// and haproxyUser the number of the user "haproxy" in it.
const (
	haproxyImage = "docker.io/library/haproxy:3.0"
	haproxyUser  = 99
)

func newOperator(streams Streams) *cobra.Command {
	f := &operatorFlags{}
	cmd := &cobra.Command{
		Use:   "operator",
		Short: "Serve the Gateways of a Kubernetes cluster",
		Long: "Watches a cluster's Gateways and routes, runs proxies for them as pods, and writes\n" +
			"what became of them into their status. Several replicas may run: one leads, the\n" +
			"others are ready to.",
		Example: "  kubectl apply -k config/default     # runs it in the cluster, as the namespace sluice-system",
		Args:    exactly(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runOperator(cmd.Context(), streams, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "file that says where the cluster is (default: the one that this runs in, else KUBECONFIG)")
	flags.StringVar(&f.namespace, "namespace", envOr("POD_NAMESPACE", "sluice-system"), "namespace of the operator (default in a pod: its own)")
	flags.StringVar(&f.identity, "identity", envOr("POD_NAME", hostname()), "name by which this replica is elected; unlike every other's")
	flags.StringSliceVar(&f.namespaces, "watch-namespaces", nil, "namespaces to look after (default: all)")
	flags.StringVar(&f.proxyImage, "proxy-image", envOr("SLUICE_PROXY_IMAGE", proxyImage+":"+release.Version()), "image of sluice-proxy: the built-in Go proxy, and what is beside the others")
	flags.StringVar(&f.envoyImage, "envoy-image", envOr("SLUICE_ENVOY_IMAGE", envoyImage), "Envoy's own image, for classes of sluice.dev/envoy")
	flags.StringVar(&f.haproxyImage, "haproxy-image", envOr("SLUICE_HAPROXY_IMAGE", haproxyImage), "HAProxy's own image, for classes of sluice.dev/haproxy")
	flags.StringVar(&f.delivery, "delivery", ":9443", "address at which the pods of Gateways ask for what they are to run")
	flags.StringVar(&f.host, "delivery-host", "", "host and port by which pods find that address (default: sluice-operator.NAMESPACE.svc:9443)")
	flags.StringVar(&f.metrics, "metrics", ":8080", "address of /metrics (0 turns it off)")
	flags.StringVar(&f.health, "health", ":8081", "address of /healthz and /readyz (0 turns them off)")
	flags.StringVar(&f.pprof, "pprof", "", "address of /debug/pprof; whoever reaches it sees the program's memory (default: off)")
	flags.BoolVar(&f.elect, "leader-elect", true, "elect one of several replicas; without it, nobody else may run")
	flags.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	oneOf{"log-level", nil, logLevels}.register(cmd)
	return cmd
}

var logLevels = []string{"debug", "info", "warn", "error"}

func envOr(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

func hostname() string {
	name, _ := os.Hostname()
	return name
}

func runOperator(ctx context.Context, streams Streams, f *operatorFlags) error {
	if err := (oneOf{"log-level", &f.logLevel, logLevels}).check(); err != nil {
		return err
	}
	if err := f.settle(); err != nil {
		return err
	}
	log := f.logger(streams)
	ctrl.SetLogger(log)
	klog.SetLogger(log)
	config, err := f.config()
	if err != nil {
		return fmt.Errorf("no cluster to look after: %w; run this in one, or name a file by --kubeconfig", err)
	}
	o, err := newOperation(f, config, log)
	if err != nil {
		return err
	}
	log.Info("starting", "version", release.Version(), "namespace", f.namespace, "proxyImage", f.proxyImage, "envoyImage", f.envoyImage, "haproxyImage", f.haproxyImage, "watchNamespaces", f.namespaces)
	return o.run(ctx)
}

// settle fills in what follows from other flags.
func (f *operatorFlags) settle() error {
	if f.host == "" {
		f.host = "sluice-operator." + f.namespace + ".svc:9443"
	}
	if f.elect && f.identity == "" {
		return errors.New("--identity is empty: replicas are elected by name, so give each one of its own")
	}
	if f.serverName() == "" {
		return fmt.Errorf("--delivery-host is %q: want host:port, such as sluice-operator.sluice-system.svc:9443", f.host)
	}
	for i, n := range f.namespaces {
		if f.namespaces[i] = strings.TrimSpace(n); f.namespaces[i] == "" {
			return fmt.Errorf("--watch-namespaces is %q: want names, with commas between them", strings.Join(f.namespaces, ","))
		}
	}
	return nil
}

// serverName is what pods verify the operator's certificate by.
func (f *operatorFlags) serverName() string {
	host, _, _ := net.SplitHostPort(f.host)
	return host
}

func (f *operatorFlags) logger(streams Streams) logr.Logger {
	var level slog.Level
	// The flag was checked.
	_ = level.UnmarshalText([]byte(f.logLevel))
	return logr.FromSlogHandler(slog.NewJSONHandler(streams.Err, &slog.HandlerOptions{Level: level}))
}

// config is how the API server is reached. Its own fairness bounds what clients
// may ask: a limit here would hold back statuses.
func (f *operatorFlags) config() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = f.kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	config.UserAgent = "sluice-operator/" + release.Version()
	return config, nil
}
