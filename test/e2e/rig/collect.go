package rig

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// collected are the questions whose answers explain a failure.
var collected = []struct {
	file      string
	arguments []string
}{
	{"gateway-api.yaml", []string{"get", "gatewayclasses,gateways,httproutes,grpcroutes,tlsroutes,tcproutes,udproutes,listenersets,backendtlspolicies,referencegrants", "-A", "-o", "yaml"}},
	{"objects.txt", []string{"get", "deployments,pods,services,serviceaccounts,poddisruptionbudgets,endpointslices", "-A", "-o", "wide"}},
	{"parameters.yaml", []string{"get", "gatewayparameters", "-A", "-o", "yaml"}},
	{"events.txt", []string{"get", "events", "-A", "--sort-by=.lastTimestamp"}},
	{"pods.txt", []string{"describe", "pods", "-A", "-l", "app.kubernetes.io/managed-by=sluice"}},
	{"operator.log", []string{"-n", SystemNamespace, "logs", "-l", "app.kubernetes.io/component=operator", "--all-containers", "--prefix", "--timestamps", "--tail=-1"}},
	{"operator-before.log", []string{"-n", SystemNamespace, "logs", "-l", "app.kubernetes.io/component=operator", "--all-containers", "--prefix", "--timestamps", "--tail=-1", "--previous"}},
}

// Collect writes all that explains a failure into .bin/<package>/<test>, while
// the objects are there.
func (r *Rig) Collect(t testing.TB) {
	t.Helper()
	dir := filepath.Join(r.Root, ".bin", "failures", strings.ReplaceAll(t.Name(), "/", "-"))
	r.CollectInto(t, dir)
}

// CollectInto writes all that explains a failure into a folder.
func (r *Rig) CollectInto(t testing.TB, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Log(err)
		return
	}
	// The test's own context may be over.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, c := range collected {
		r.keep(ctx, t, filepath.Join(dir, c.file), c.arguments)
	}
	r.proxyLogs(ctx, t, dir)
	t.Logf("what there was to see is in %s", dir)
}

// proxyLogs keeps the log of every pod that Sluice made.
func (r *Rig) proxyLogs(ctx context.Context, t testing.TB, dir string) {
	t.Helper()
	pods, err := r.Kubectl(ctx, "get", "pods", "-A", "-l", "app.kubernetes.io/managed-by=sluice", "-o",
		`jsonpath={range .items[*]}{.metadata.namespace} {.metadata.name}{"\n"}{end}`)
	if err != nil {
		t.Log(err)
		return
	}
	for line := range strings.Lines(pods) {
		ns, name, ok := strings.Cut(strings.TrimSpace(line), " ")
		if ok {
			r.keep(ctx, t, filepath.Join(dir, "proxy-"+ns+"-"+name+".log"), []string{"-n", ns, "logs", name, "--timestamps"})
		}
	}
}

func (r *Rig) keep(ctx context.Context, t testing.TB, file string, arguments []string) {
	t.Helper()
	text, err := r.Kubectl(ctx, arguments...)
	if err != nil {
		text += "\n" + err.Error() + "\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Log(err)
	}
}
