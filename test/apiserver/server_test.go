package apiserver

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	sourcekube "github.com/sluice-gateway/sluice/operator/source/kube"
)

// patience is how long a condition may take to come true.
const patience = 30 * time.Second

// assets is the variable that names the folder of the programs.
const assets = "SLUICE_E2E_ASSETS"

// server is one API server of a test's own.
type server struct {
	t      *testing.T
	config *rest.Config
	scheme *runtime.Scheme
	client client.Client
	audit  string
	env    *envtest.Environment
}

// policy logs who wrote what, without bodies.
const policy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  verbs: [create, update, patch, delete]
- level: Metadata
  verbs: [get]
  resources: [{group: "", resources: [secrets, configmaps]}]
`

func newServer(t *testing.T) *server {
	t.Helper()
	dir := os.Getenv(assets)
	if dir == "" {
		t.Skipf("%s is not set: it names the folder with etcd and kube-apiserver, and this test needs both", assets)
	}
	ctrllog.SetLogger(logr.Discard())
	s := &server{t: t, audit: filepath.Join(t.TempDir(), "audit.log"), scheme: runtime.NewScheme()}
	policyFile := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(policyFile, []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	s.env = &envtest.Environment{BinaryAssetsDirectory: dir, ControlPlaneStartTimeout: time.Minute, ControlPlaneStopTimeout: time.Minute}
	s.env.ControlPlane.GetAPIServer().Configure().
		Set("audit-log-path", s.audit).Set("audit-policy-file", policyFile).
		// Nothing here is what a controller would make.
		Set("disable-admission-plugins", "ServiceAccount")
	config, err := s.env.Start()
	if err != nil {
		t.Fatalf("no API server: %v", err)
	}
	t.Cleanup(func() {
		if err := s.env.Stop(); err != nil {
			t.Errorf("the API server does not stop: %v", err)
		}
	})
	config.QPS = -1
	s.config = config
	if err := sourcekube.AddToScheme(s.scheme); err != nil {
		t.Fatal(err)
	}
	s.must(rbacv1.AddToScheme(s.scheme))
	s.client, err = client.New(config, client.Options{Scheme: s.scheme})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	end := time.After(patience)
	for !holds() {
		select {
		case <-end:
			t.Fatalf("%s: still not so", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// crds are Gateway API's of a channel, as its module has them.
func crds(t *testing.T, channel string) []*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "config/crd", channel, "gateway.networking.k8s.io_*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no CRDs of channel %s: %v", channel, err)
	}
	var list []*apiextensionsv1.CustomResourceDefinition
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.Unmarshal(text, crd); err == nil && crd.Kind == "CustomResourceDefinition" {
			list = append(list, crd)
		}
	}
	return list
}

// install creates or replaces CRDs.
func (s *server) install(list ...*apiextensionsv1.CustomResourceDefinition) {
	s.t.Helper()
	for _, crd := range list {
		next := crd.DeepCopy()
		old := &apiextensionsv1.CustomResourceDefinition{}
		if err := s.client.Get(context.Background(), client.ObjectKeyFromObject(crd), old); err == nil {
			next.ResourceVersion = old.ResourceVersion
			s.must(s.client.Update(context.Background(), next))
			continue
		}
		s.must(s.client.Create(context.Background(), next))
	}
}

func (s *server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// create makes objects, and waits until their kinds are served.
func (s *server) create(objects ...client.Object) {
	s.t.Helper()
	for _, o := range objects {
		until(s.t, fmt.Sprintf("creating %T %s", o, o.GetName()), func() bool {
			err := s.client.Create(context.Background(), o)
			if err != nil && !missing(err) {
				s.t.Fatal(err)
			}
			return err == nil
		})
	}
}

func missing(err error) bool {
	return strings.Contains(err.Error(), "no matches for kind") || strings.Contains(err.Error(), "could not find the requested resource") ||
		strings.Contains(err.Error(), "failed to get API group resources") || strings.Contains(err.Error(), "unable to retrieve")
}

// write is one line of the audit log.
type write struct {
	Verb      string
	UserAgent string
	ObjectRef struct{ Resource, Namespace, Name, Subresource string }
	// ResponseStatus has the code.
	ResponseStatus struct{ Code int }
}

// writes are the writes of statuses by the operator that were answered so far.
func (s *server) writes() []write {
	return s.lines(func(w write) bool { return w.ObjectRef.Subresource == "status" })
}

// lines are those of the audit log that are about the operator.
func (s *server) lines(which func(write) bool) []write {
	s.t.Helper()
	file, err := os.Open(s.audit)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var list []write
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var w write
		if json.Unmarshal(lines.Bytes(), &w) == nil && w.UserAgent == agent && which(w) {
			list = append(list, w)
		}
	}
	return list
}

// count counts the writes of a resource's statuses that were done.
func (s *server) count(resource string) int {
	n := 0
	for _, w := range s.writes() {
		if w.ObjectRef.Resource == resource && w.ResponseStatus.Code == 200 {
			n++
		}
	}
	return n
}

// agent is what the operator under test calls itself.
const agent = "sluice-under-test"

// journal keeps what the operator logs.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) logger(t *testing.T) logr.Logger {
	t.Helper()
	return funcr.New(func(prefix, args string) {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.lines = append(j.lines, args)
		t.Log(prefix, args)
	}, funcr.Options{})
}

// count counts the lines that hold a text.
func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, line := range j.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}
