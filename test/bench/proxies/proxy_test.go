package proxies

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func setup(t *testing.T) Setup {
	t.Helper()
	dir := t.TempDir()
	s := Setup{
		Dir: dir, Count: 3, Procs: 1, Self: "bench", Packages: filepath.Join(dir, "none"),
		Ports:   Ports{Plain: 1001, TLS: 1002, Routes: 1003, GRPC: 1004, TCP: 1005, Pass: 1006, UDP: 1007, Admin: 1008},
		Backend: Backend{HTTP: 2001, HTTPS: 2002, GRPC: 2003, UDP: 2004},
		Cert:    filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key"), Sluice: filepath.Join(dir, "sluice"),
	}
	for _, path := range []string{s.Cert, s.Key, s.Sluice} {
		if err := os.WriteFile(path, []byte("pem"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// files are what each proxy reads, and what must be in it: every port, backend
// and route, and the fields that all add.
var files = map[string]struct {
	file string
	has  []string
}{
	"haproxy":       {"haproxy.cfg", []string{":1001", ":1002 ssl", ":1003", ":1004 proto h2", ":1005", ":1006", ":1008", ":2001", ":2002", ":2003", "X-Request-Id", "forwardfor", "log stdout"}},
	"haproxy-alike": {"haproxy.cfg", []string{":1001", ":1002 ssl", ":1003", ":1004 proto h2", ":1005", ":1006", ":1008", ":2001", ":2002", ":2003", "X-Request-Id", "forwardfor", "log stdout", "%{+json}o", "retry-on", "observe layer4", "var(txn.host),concat"}},
	"nginx":         {"nginx.conf", []string{":1001", ":1002 ssl http2", ":1003", ":1004 http2", ":1008", ":2001", ":2003", "X-Request-Id", "/r0002/", "access_log"}},
	"caddy":         {"Caddyfile", []string{":1001", ":1002", ":1003", ":1004", ":1008", ":2001", ":2003", "X-Request-Id", "/r0002/*", "output file"}},
	"envoy":         {"envoy.yaml", []string{"1001", "1002", "1003", "1004", "1005", "1006", "1008", "2001", "2002", "2003", "/r0002/", "access_log", "x-forwarded-host"}},
	"sluice":        {"bench.yaml", []string{"1001", "1002", "1003", "1004", "1005", "1006", "1007", "2001", "2002", "2003", "2004", "/r0002"}},
}

func TestEachProxyGetsTheSame(t *testing.T) {
	for _, p := range All() {
		want, ok := files[p.Name]
		if !ok {
			continue
		}
		s := setup(t)
		// Whether the program is there does not matter to what it would read.
		_, _ = p.Prepare(s)
		text, err := os.ReadFile(filepath.Join(s.Dir, want.file))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, part := range want.has {
			if !strings.Contains(string(text), part) {
				t.Errorf("%s of %s has no %q:\n%s", want.file, p.Name, part, text)
			}
		}
	}
}

func TestYAMLIsWhole(t *testing.T) {
	s := setup(t)
	_, _ = envoy(s)
	if _, err := sluice(s); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"envoy.yaml", "bench.yaml"} {
		text, err := os.ReadFile(filepath.Join(s.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for doc := range strings.SplitSeq(string(text), "\n---\n") {
			var into map[string]any
			if err := yaml.UnmarshalStrict([]byte(doc), &into); err != nil || len(into) == 0 {
				t.Errorf("%s: %v in\n%s", name, err, doc)
			}
		}
	}
}

func TestWhatIsNotThereSaysSo(t *testing.T) {
	s := setup(t)
	t.Setenv("PATH", t.TempDir())
	t.Setenv("SLUICE_ENVOY", "")
	t.Setenv("SLUICE_HAPROXY", "")
	for _, p := range All() {
		_, err := p.Prepare(s)
		if own := p.Name == "sluice" || p.Name == "nethttp"; own != (err == nil) {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
	s.Sluice += "-none"
	if _, err := sluice(s); err == nil || strings.Contains(err.Error(), s.Dir) {
		t.Errorf("without the program: %v, want an error that shows no path", err)
	}
}

// What is compared with is the HAProxy that tests run, and not an older one that
// the machine has.
func TestHAProxyIsTheOneThatIsNamed(t *testing.T) {
	s := setup(t)
	t.Setenv("SLUICE_HAPROXY", "/there/haproxy")
	l, err := haproxy(s)
	if err != nil || l.Args[0] != "/there/haproxy" || l.Version[0] != "/there/haproxy" || len(l.Env) > 0 {
		t.Errorf("got %+v, %v", l, err)
	}
}
