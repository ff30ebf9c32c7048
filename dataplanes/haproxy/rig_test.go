package haproxy_test

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/haproxy"
	"github.com/sluice-gateway/sluice/dataplanes/rig"
	haproxytest "github.com/sluice-gateway/sluice/test/haproxy"
)

// plane is a HAProxy that runs.
type plane struct{ *rig.Rig }

func newRig(t testing.TB, opts dataplanes.Options) *plane {
	t.Helper()
	haproxytest.Program(t)
	return &plane{rig.New(t, haproxy.Dataplane{}, opts)}
}

func TestContract(t *testing.T) {
	haproxytest.Program(t)
	rig.Contract(t, haproxy.Dataplane{})
}

// child returns the one HAProxy of the rig.
func (r *plane) child() haproxy.Child {
	r.T.Helper()
	for _, child := range r.Local.(interface{ Children() []haproxy.Child }).Children() {
		return child
	}
	r.T.Fatal("no HAProxy runs")
	return haproxy.Child{}
}

// worker returns the process that serves.
func (r *plane) worker() int {
	r.T.Helper()
	said, err := r.child().Admin.Ask(context.Background(), "show info")
	if err != nil {
		r.T.Fatal(err)
	}
	_, rest, _ := strings.Cut(said, "\nPid: ")
	number, _, _ := strings.Cut(rest, "\n")
	pid, err := strconv.Atoi(number)
	if err != nil {
		r.T.Fatal(err)
	}
	return pid
}
