package provision

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files anew")

// asked is an Input as a case has it.
type asked struct {
	Input
	Drain metav1.Duration
}

func read(t *testing.T, path string) *Input {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	a := asked{Drain: metav1.Duration{Duration: 30 * time.Second}}
	if err := yaml.UnmarshalStrict(text, &a); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	a.Input.Drain = a.Drain.Duration
	return &a.Input
}

var site = &Site{
	Image: "ghcr.io/sluice-gateway/sluice-proxy:1.2.3",
	Agents: map[string]Agent{
		"sluice.dev/envoy":   {Dataplane: "envoy", Image: "docker.io/envoyproxy/envoy:distroless-v1.2.3"},
		"sluice.dev/haproxy": {Dataplane: "haproxy", Image: "docker.io/library/haproxy:1.2", User: 99},
	},
	Delivery: "sluice-operator.sluice-system.svc:9443", CA: []byte("-----BEGIN CERTIFICATE-----\n"),
}

// A case is a folder with in.yaml, whose first comment says what it shows, and
// objects.yaml, which -update writes.
func TestGolden(t *testing.T) {
	cases, err := filepath.Glob("testdata/*/in.yaml")
	if err != nil || len(cases) < 5 {
		t.Fatalf("%d cases: %v", len(cases), err)
	}
	for _, path := range cases {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			in := read(t, path)
			got := write(t, in)
			golden := filepath.Join(filepath.Dir(path), "objects.yaml")
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("the objects differ (-want +got); run 'make golden' and read the diff:\n%s", diff)
			}
			restricted(t, in)
			named(t, in)
		})
	}
}

func write(t *testing.T, in *Input) []byte {
	t.Helper()
	var all bytes.Buffer
	for _, obj := range Objects(in, site) {
		made, err := wish(obj)
		if err != nil {
			t.Fatal(err)
		}
		text, err := yaml.Marshal(made.Object)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString("---\n")
		all.Write(text)
	}
	return all.Bytes()
}

// restricted holds the pods to the Pod Security standard of that name, whatever
// the parameters are. The API server's own judgement is asked in test/e2e.
func restricted(t *testing.T, in *Input) {
	t.Helper()
	pod := deployment(in, site).Spec.Template.Spec
	switch s := pod.SecurityContext; {
	case !*s.RunAsNonRoot || s.RunAsUser != nil || s.SeccompProfile.Type != "RuntimeDefault":
		t.Errorf("the pods' security context is %+v", s)
	case pod.HostNetwork || pod.HostPID || pod.HostIPC || *pod.AutomountServiceAccountToken || *pod.EnableServiceLinks:
		t.Error("the pods have more of their node or of the API server than they need")
	}
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		s := c.SecurityContext
		if *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" || s.Privileged != nil || len(s.Capabilities.Add) > 0 {
			t.Errorf("the security context of %s is %+v", c.Name, s)
		}
	}
	for _, v := range pod.Volumes {
		if v.HostPath != nil || v.Secret != nil {
			t.Errorf("volume %s is of the node, or a Secret", v.Name)
		}
	}
}

// named holds names and labels to what the API server takes.
func named(t *testing.T, in *Input) {
	t.Helper()
	for _, obj := range Objects(in, site) {
		if bad := validation.IsDNS1035Label(obj.GetName()); len(bad) > 0 {
			t.Errorf("%T has the name %q: %v", obj, obj.GetName(), bad)
		}
		for key, value := range obj.GetLabels() {
			if bad := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); len(bad) > 0 {
				t.Errorf("%T has the label %s=%q: %v", obj, key, value, bad)
			}
		}
		by := metav1.GetControllerOf(obj)
		if by == nil || by.UID != in.UID || obj.GetNamespace() != in.Owner.Namespace {
			t.Errorf("%T belongs to %v in %s", obj, by, obj.GetNamespace())
		}
	}
}
