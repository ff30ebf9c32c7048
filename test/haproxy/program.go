package haproxy

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"testing"

	"github.com/sluice-gateway/sluice/test/program"
)

// Variable names the program, for the tests and for dataplanes/haproxy alike.
const Variable = "SLUICE_HAPROXY"

var wanted = &program.Wanted{Name: "HAProxy", Variable: Variable, File: "haproxy", Fits: fits}

// Program returns the path of HAProxy's program, which hack/haproxy gets. Without
// any of 3.0 or later, the test is skipped.
func Program(t testing.TB) string {
	t.Helper()
	return wanted.Path(t)
}

var version = regexp.MustCompile(`^HAProxy version ([0-9]+)\.`)

// fits passes HAProxy of 3.0 or later: Debian 12's own is older.
func fits(path string) bool {
	said, err := exec.Command(path, "-v").Output() //nolint:gosec // The program in PATH.
	if err != nil {
		return false
	}
	parts := version.FindSubmatch(said)
	if parts == nil {
		return false
	}
	major, err := strconv.Atoi(string(parts[1]))
	return err == nil && major >= 3
}

// Check asks HAProxy what it thinks of a configuration, which is in a file. The
// error has HAProxy's words. Warnings are errors: what we write has none.
func Check(t testing.TB, file string, more ...string) error {
	t.Helper()
	args := append([]string{"-c", "-dW", "-f", file}, more...)
	said, err := exec.CommandContext(t.Context(), Program(t), args...).CombinedOutput() //nolint:gosec // The program under test.
	if err != nil {
		return fmt.Errorf("HAProxy refuses %s (%w): %s", file, err, said)
	}
	return nil
}
