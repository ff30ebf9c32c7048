package envoy

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-gateway/sluice/ir"
)

// wideHosts is a thousand hosts, exact or wildcards, beside "*" with a thousand
// routes.
func wideHosts(pattern string) *ir.Unit {
	unit := manyRoutes(true)
	unit.Proxy.Routes = unit.Proxy.Routes[:1000]
	l := unit.Proxy.Listeners[0]
	for _, route := range unit.Proxy.Routes {
		route.Attachments[0].Hostnames = []string{"*"}
	}
	for i := range 1000 {
		route := oneOfMany(many+i, false, l)
		route.Attachments[0].Hostnames = []string{fmt.Sprintf(pattern, i)}
		unit.Proxy.Routes = append(unit.Proxy.Routes, route)
	}
	return unit
}

// TestHostsInsideOthersDoNotMultiply bounds what is repeated: a thousand by a
// thousand routes would be a gigabyte.
func TestHostsInsideOthersDoNotMultiply(t *testing.T) {
	for _, pattern := range []string{"h%d.example.org", "*.h%d.example.org"} {
		unit := wideHosts(pattern)
		first := Translate(unit, Target{}, nil)
		if size := proto.Size(first.Routes[0].Message); size > 4<<20 {
			t.Errorf("%s: %d bytes", pattern, size)
		}
		full := testing.AllocsPerRun(1, func() { Translate(unit, Target{}, nil) })
		changed := changeOne(unit, 1500, false)
		changed.Proxy.Routes[1500].Attachments = unit.Proxy.Routes[1500].Attachments
		if one := testing.AllocsPerRun(3, func() { Translate(changed, Target{}, first) }); one > full/20 {
			t.Errorf("%s: %.0f allocations for one changed route, %.0f for all", pattern, one, full)
		}
	}
}
