package apiserver

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/test/e2e/rig"
)

// kubeconfig names the variable with the file of the cluster to use.
const kubeconfig = "SLUICE_E2E_KUBECONFIG"

const root = "../../.."

// cluster returns a client for an API server that knows nothing of Gateway API.
func cluster(t *testing.T) client.Client {
	t.Helper()
	file := os.Getenv(kubeconfig)
	if file == "" {
		t.Skipf("%s names no cluster: make e2e boots one", kubeconfig)
	}
	config, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, gatewayv1.Install, apiextensionsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	forget(t, c)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "sluice-system"}}
	if err := c.Create(t.Context(), ns); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	return c
}

// forget removes every kind of Gateway API, and ours.
func forget(t *testing.T, c client.Client) {
	t.Helper()
	rig.Eventually(t, "no kind of Gateway API to be left", func(ctx context.Context) error {
		var crds apiextensionsv1.CustomResourceDefinitionList
		if err := c.List(ctx, &crds); err != nil {
			return err
		}
		left := 0
		for i := range crds.Items {
			switch crds.Items[i].Spec.Group {
			case gatewayv1.GroupName, "gateway.networking.x-k8s.io", "sluice.dev":
				left++
				if err := client.IgnoreNotFound(c.Delete(ctx, &crds.Items[i])); err != nil {
					return err
				}
			}
		}
		if left > 0 {
			return fmt.Errorf("%d are", left)
		}
		return nil
	})
}

// operator is a running `sluice operator`.
type operator struct {
	health string
	log    *output
}

// start builds and runs the operator until the test ends.
func start(t *testing.T) *operator {
	t.Helper()
	program := filepath.Join(t.TempDir(), "sluice")
	build := exec.Command("go", "build", "-o", program, "./cmd/sluice")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building sluice: %v\n%s", err, out)
	}
	o := &operator{health: free(t), log: &output{}}
	cmd := exec.Command(program, "operator", "--kubeconfig", os.Getenv(kubeconfig), "--namespace", "sluice-system",
		"--leader-elect=false", "--metrics", "0", "--health", o.health, "--delivery", free(t))
	cmd.Stdout, cmd.Stderr = o.log, o.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the operator ended with %v", err)
		}
		if t.Failed() {
			t.Logf("the operator said:\n%s", o.log)
		}
	})
	rig.Eventually(t, "the operator to be ready", o.ready)
	return o
}

func (o *operator) ready(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+o.health+"/readyz", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz answers %d", answer.StatusCode)
	}
	return nil
}

// free returns an address that nobody listens at.
func free(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// output gathers what a program writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write takes text in.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

// String is everything so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
