package haproxy

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
)

// program is the HAProxy that tests run.
func program(t testing.TB) string {
	t.Helper()
	path := os.Getenv("SLUICE_HAPROXY")
	if path == "" {
		t.Skip("no HAProxy 3.0 or newer: SLUICE_HAPROXY names none (`make haproxy` gets one)")
	}
	return path
}

// check has HAProxy read a configuration.
func check(t *testing.T, c *Config) {
	t.Helper()
	dir := t.TempDir()
	for _, f := range c.Files {
		write(t, filepath.Join(dir, f.Name), f.Content+string(f.Secret))
	}
	write(t, filepath.Join(dir, RoutesMap), c.Map())
	write(t, filepath.Join(dir, "haproxy.cfg"), c.Text())
	out, err := exec.CommandContext(t.Context(), program(t), "-c", "-C", dir, "-f", "haproxy.cfg").CombinedOutput() //nolint:gosec // Whoever runs the tests says which.
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, out, c.Text())
	}
}

func write(t testing.TB, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAnEmptyUnitIsTaken(t *testing.T) {
	check(t, Translate(&ir.Unit{Proxy: &ir.Proxy{}}, Target{Address: netip.MustParseAddr("127.0.0.1")}, nil))
}
