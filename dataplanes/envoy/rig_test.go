package envoy_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/envoy"
	"github.com/sluice-gateway/sluice/dataplanes/rig"
	envoytest "github.com/sluice-gateway/sluice/test/envoy"
)

// plane is an Envoy that runs.
type plane struct{ *rig.Rig }

func newRig(t testing.TB, opts dataplanes.Options) *plane {
	t.Helper()
	envoytest.Program(t)
	return &plane{rig.New(t, envoy.Dataplane{}, opts)}
}

func TestContract(t *testing.T) {
	envoytest.Program(t)
	rig.Contract(t, envoy.Dataplane{})
}
