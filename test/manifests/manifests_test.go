package manifests

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

var root = filepath.Join("..", "..", "config")

func read(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// TestNoWildcards: whoever reads the roles sees all that the operator may do.
func TestNoWildcards(t *testing.T) {
	var cluster rbacv1.ClusterRole
	var own rbacv1.Role
	read(t, "rbac/cluster_role.yaml", &cluster)
	read(t, "rbac/role.yaml", &own)
	rules := slices.Concat(cluster.Rules, own.Rules)
	if len(rules) < 10 {
		t.Fatalf("%d rules were read", len(rules))
	}
	for _, r := range rules {
		for _, list := range [][]string{r.APIGroups, r.Resources, r.ResourceNames, r.Verbs, r.NonResourceURLs} {
			if slices.ContainsFunc(list, func(s string) bool { return strings.Contains(s, "*") }) {
				t.Errorf("a wildcard: %v", r)
			}
		}
		if len(r.Verbs) == 0 || len(r.Resources) == 0 {
			t.Errorf("a rule that says nothing: %v", r)
		}
	}
}

// TestSecretsOfOthersAreNeverChanged: the operator reads Secrets that Gateways
// refer to, and changes its own alone.
func TestSecretsOfOthersAreNeverChanged(t *testing.T) {
	var cluster rbacv1.ClusterRole
	read(t, "rbac/cluster_role.yaml", &cluster)
	for _, r := range cluster.Rules {
		if !slices.Contains(r.Resources, "secrets") {
			continue
		}
		for _, verb := range r.Verbs {
			if verb != "get" && verb != "list" && verb != "watch" {
				t.Errorf("the operator may %s every Secret", verb)
			}
		}
	}
}

// TestNothingIsGrantedThatNobodyUses: what is provisioned is applied and patched,
// statuses are patched, and only the lease and the keys are updated as a whole.
func TestNothingIsGrantedThatNobodyUses(t *testing.T) {
	var cluster rbacv1.ClusterRole
	var own rbacv1.Role
	read(t, "rbac/cluster_role.yaml", &cluster)
	read(t, "rbac/role.yaml", &own)
	for _, r := range cluster.Rules {
		if slices.Contains(r.Verbs, "update") {
			t.Errorf("the operator may update every one of %v", r.Resources)
		}
		if strings.HasSuffix(r.Resources[0], "/status") && !slices.Equal(r.Verbs, []string{"patch"}) {
			t.Errorf("the operator may %v statuses", r.Verbs)
		}
	}
	for _, r := range own.Rules {
		if slices.Contains(r.Verbs, "update") && len(r.ResourceNames) != 1 {
			t.Errorf("the operator may update all %v of its namespace", r.Resources)
		}
	}
}

// TestTheOperatorIsRestricted: as the Pod Security standard has it.
func TestTheOperatorIsRestricted(t *testing.T) {
	var d appsv1.Deployment
	read(t, "operator/deployment.yaml", &d)
	pod := d.Spec.Template.Spec
	if s := pod.SecurityContext; s == nil || !*s.RunAsNonRoot || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Error("the pod may run as root, or without seccomp")
	}
	for _, c := range pod.Containers {
		s := c.SecurityContext
		if s == nil || *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
			t.Errorf("container %s is not restricted", c.Name)
		}
	}
}

// TestNoFileIsLeftOut: a manifest that no kustomization names is installed by
// nobody.
func TestNoFileIsLeftOut(t *testing.T) {
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" || d.Name() == "kustomization.yaml" {
			return err
		}
		var k struct {
			Resources []string `json:"resources"`
		}
		text, err := os.ReadFile(filepath.Join(filepath.Dir(path), "kustomization.yaml"))
		if err != nil {
			return err
		}
		if err := yaml.Unmarshal(text, &k); err != nil {
			return err
		}
		if !slices.Contains(k.Resources, d.Name()) {
			t.Errorf("%s is named by no kustomization", path)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
