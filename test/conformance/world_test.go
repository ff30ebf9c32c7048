package conformance

import (
	"context"
	"io/fs"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientset "k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/apis/v1alpha2"
	"sigs.k8s.io/gateway-api/apis/v1alpha3"
	xv1alpha1 "sigs.k8s.io/gateway-api/apisx/v1alpha1"
	"sigs.k8s.io/gateway-api/conformance"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"

	"github.com/sluice-gateway/sluice/test/e2e/rig"
)

// className is the GatewayClass of the run.
const className = "conformance"

// class has proxies of one replica, as a test of many Gateways on a small machine
// wants it, and the annotation by which MetalLB is asked for addresses.
const class = `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: conformance}
spec:
  controllerName: sluice.dev/$NS
  parametersRef: {group: sluice.dev, kind: GatewayParameters, name: conformance, namespace: sluice-system}
---
apiVersion: sluice.dev/v1alpha1
kind: GatewayParameters
metadata: {name: conformance, namespace: sluice-system}
spec:
  service:
    addressAnnotation: metallb.io/loadBalancerIPs
  pods:
    replicas: 1
    resources:
      requests: {cpu: 10m, memory: 32Mi}
`

// world is the cluster that runs are played in.
type world struct {
	*rig.Rig
	options   options
	client    client.Client
	clientset clientset.Interface
}

func boot(t *testing.T, o options) *world {
	t.Helper()
	r, err := rig.Boot(t.Context(), rig.Options{Nodes: 1, Channel: o.channel, Keep: o.keep, Dataplanes: []string{o.dataplane}})
	if err != nil {
		t.Fatal(err)
	}
	if !o.keep {
		t.Cleanup(func() {
			if err := r.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
	if !r.Has(o.dataplane) {
		t.Fatalf("there is no %[1]s to run: make %[1]s says why", o.dataplane)
	}
	r.Apply(t, o.dataplane, class)
	w := &world{Rig: r, options: o}
	w.connect(t)
	return w
}

// connect makes the clients that the suite wants, with every version of the API
// that it may ask for.
func (w *world) connect(t *testing.T) {
	t.Helper()
	var err error
	if w.client, err = client.New(w.Config, client.Options{}); err != nil {
		t.Fatal(err)
	}
	if w.clientset, err = clientset.NewForConfig(w.Config); err != nil {
		t.Fatal(err)
	}
	scheme := w.client.Scheme()
	for _, err := range []error{
		gatewayv1.Install(scheme), v1alpha2.Install(scheme), v1alpha3.Install(scheme), xv1alpha1.Install(scheme),
		apiextensionsv1.AddToScheme(scheme),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) suiteOptions() suite.ConformanceOptions {
	usable, unusable := w.addresses()
	return suite.ConformanceOptions{
		ConfigurableOptions: suite.ConfigurableOptions{
			GatewayClassName:         className,
			CleanupBaseResources:     true,
			CleanupTestResources:     true,
			ConformanceProfiles:      profiles,
			Mode:                     "default",
			Implementation:           w.options.implementation(),
			UsableNetworkAddresses:   usable,
			UnusableNetworkAddresses: unusable,
		},
		Client: w.client, Clientset: w.clientset, RestConfig: w.Config,
		ManifestFS: []fs.FS{&conformance.Manifests},
	}
}

// addresses are one that MetalLB gives to who asks for it, and one that no pool
// holds.
func (w *world) addresses() (usable, unusable []gatewayv1.GatewaySpecAddress) {
	ip := gatewayv1.IPAddressType
	static := w.Plan().Static()[0].Addr().Next()
	return []gatewayv1.GatewaySpecAddress{{Type: &ip, Value: static.String()}},
		[]gatewayv1.GatewaySpecAddress{{Type: &ip, Value: "198.51.100.1"}}
}

// cleared waits until nothing of an earlier run is left: the suite deletes its
// namespaces and does not wait for their end.
func (w *world) cleared(t *testing.T) {
	t.Helper()
	for _, name := range []string{suite.InfrastructureNamespace, suite.AppBackendNamespace, suite.WebBackendNamespace} {
		rig.Eventually(t, "the namespace "+name+" to be gone", func(ctx context.Context) error {
			return w.Gone(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
		})
	}
}

// collect keeps what explains a failed test.
func (w *world) collect(t *testing.T, test string) {
	t.Helper()
	w.CollectInto(t, filepath.Join(w.Root, ".bin", "conformance", w.options.dataplane, w.options.channel, test))
}
