package e2e

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/test/cluster/audit"
	"github.com/sluice-gateway/sluice/test/e2e/rig"
)

var (
	keep = flag.Bool("keep", false, "leave the cluster running for a look")
	long = flag.Bool("long", false, "kill and hand over as often as promised, and not a few times only")
)

// sluice is the one cluster of these tests.
var sluice *rig.Rig

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(rig.Main(m, rig.Options{Nodes: 2, Dataplanes: []string{"envoy", "haproxy"}, Keep: *keep}, func(r *rig.Rig) { sluice = r }, neverForbidden))
}

// neverForbidden looks, when everything was done, for what the operator was not
// allowed to do: its roles name all that it needs. In a namespace that is being
// deleted nobody may create anything, and 403 is how the API server says so.
func neverForbidden() error {
	late := map[string]int{}
	for e, err := range sluice.Audit(audit.Filter{Users: []string{rig.OperatorUser}}) {
		if err != nil {
			return err
		}
		if e.ResponseStatus.Code != 403 {
			continue
		}
		if strings.Contains(e.ResponseStatus.Message, "is being terminated") {
			late[e.ObjectRef.Namespace]++
			continue
		}
		return fmt.Errorf("FAIL: the operator was refused: %s %s: %s", e.Verb, e.RequestURI, e.ResponseStatus.Message)
	}
	for ns, n := range late {
		if n > 20 {
			return fmt.Errorf("FAIL: the operator tried %d times to create something in %s, which was being deleted: it should let go", n, ns)
		}
	}
	return nil
}
