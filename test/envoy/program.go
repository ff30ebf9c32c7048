package envoy

import (
	"testing"

	"github.com/sluice-gateway/sluice/test/program"
)

// Variable names the program, for the tests and for dataplanes/envoy alike.
const Variable = "SLUICE_ENVOY"

var wanted = &program.Wanted{Name: "Envoy", Variable: Variable, File: "envoy"}

// Program returns the path of Envoy's program, which hack/envoy gets. Without any,
// the test is skipped.
func Program(t testing.TB) string {
	t.Helper()
	return wanted.Path(t)
}
