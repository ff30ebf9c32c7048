package corpus

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
	haproxytest "github.com/sluice-gateway/sluice/test/haproxy"
	"github.com/sluice-gateway/sluice/translators/haproxy"
)

// forHAProxy translates a unit as for a pod.
func forHAProxy(u *ir.Unit) *haproxy.Config {
	return haproxy.Translate(u, haproxy.Target{Address: netip.IPv4Unspecified()}, nil)
}

// TestHAProxyAcceptsTheCorpus has the real HAProxy read every case.
func TestHAProxyAcceptsTheCorpus(t *testing.T) {
	haproxytest.Program(t)
	for _, g := range corpus(t) {
		t.Run(g.path, func(t *testing.T) {
			t.Parallel()
			w := newWorld(g.features(t))
			w.apply(g.objects...)
			for _, u := range w.units() {
				dir := t.TempDir()
				lay(t, dir, forHAProxy(u))
				if err := haproxytest.Check(t, "haproxy.cfg", "-C", dir); err != nil {
					t.Errorf("%s: %v", u.Proxy.Owner.Name, err)
				}
			}
		})
	}
}

// lay writes what HAProxy reads into a folder.
func lay(t *testing.T, dir string, c *haproxy.Config) {
	t.Helper()
	texts := map[string]string{"haproxy.cfg": c.Text(), haproxy.RoutesMap: c.Map()}
	for _, f := range c.Files {
		texts[f.Name] = f.Content + string(f.Secret)
	}
	for name, text := range texts {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
