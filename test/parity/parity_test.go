package parity

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/envoy"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy"
	"github.com/sluice-gateway/sluice/dataplanes/haproxy"
	"github.com/sluice-gateway/sluice/operator/source/dir/schema"
	envoytest "github.com/sluice-gateway/sluice/test/envoy"
	haproxytest "github.com/sluice-gateway/sluice/test/haproxy"
)

var (
	planes = flag.String("dataplanes", "go,envoy,haproxy", "the dataplanes to run the cases against, separated by commas")
	only   = flag.String("case", "", "run only the cases whose name contains this")
)

// known are the dataplanes by name.
var known = map[string]dataplanes.Dataplane{
	"go": goproxy.Dataplane{}, "envoy": envoy.Dataplane{}, "haproxy": haproxy.Dataplane{},
}

// TestParity plays every case against every dataplane.
func TestParity(t *testing.T) {
	cases, err := Load(".")
	if err != nil {
		t.Fatal(err)
	}
	if err := onlyKnown(cases); err != nil {
		t.Fatal(err)
	}
	catalog := schema.NewCatalog()
	for name := range strings.SplitSeq(*planes, ",") {
		dataplane := known[name]
		if dataplane == nil {
			t.Fatalf("-dataplanes: %q is not known", name)
		}
		for _, c := range cases {
			if !strings.Contains(c.Name, *only) {
				continue
			}
			t.Run(fmt.Sprintf("%s/%s", name, c.Name), func(t *testing.T) {
				t.Parallel()
				needs(t, name)
				if err := c.Run(t.Context(), Bench{Dataplane: dataplane, Catalog: catalog}); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// needs skips a test where a dataplane's program cannot be had.
func needs(t *testing.T, dataplane string) {
	t.Helper()
	switch dataplane {
	case "envoy":
		envoytest.Program(t)
	case "haproxy":
		haproxytest.Program(t)
	}
}

// onlyKnown objects to steps for a dataplane that there is not: nobody would ever
// play them.
func onlyKnown(cases []*Case) error {
	for _, c := range cases {
		for i := range c.Steps {
			for _, only := range c.Steps[i].planes() {
				if only != "" && known[only] == nil {
					return fmt.Errorf("%s: step %q is only for %q, which is not known", c.Name, c.Steps[i].Name, only)
				}
			}
		}
	}
	return nil
}
