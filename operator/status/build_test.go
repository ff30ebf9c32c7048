package status_test

import (
	"reflect"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/status"
)

var (
	gatewayKey = resources.Key{Kind: resources.Gateway, Namespace: "ns", Name: "gw"}
	routeKey   = resources.Key{Kind: resources.HTTPRoute, Namespace: "ns", Name: "r"}
)

func gatewayReport() *findings.Report {
	return &findings.Report{Object: gatewayKey, Generation: 3, Controller: "sluice.dev/go", Subjects: []findings.Subject{
		{Kind: findings.Gateway},
		{Kind: findings.Listener, Section: "http", AttachedRoutes: 2},
	}}
}

func routeReport(parent string, rules int) *findings.Report {
	return &findings.Report{Object: routeKey, Generation: 4, Controller: "sluice.dev/go", Subjects: []findings.Subject{
		{Kind: findings.Route, Rules: rules, Parent: &gatewayv1.ParentReference{Name: gatewayv1.ObjectName(parent)}},
	}}
}

func is(conditions []metav1.Condition, name string) string {
	for _, c := range conditions {
		if c.Type == name {
			return string(c.Status) + "/" + c.Reason
		}
	}
	return ""
}

func TestReportsOfSeveralUnitsMakeOneStatus(t *testing.T) {
	reports := []*findings.Report{routeReport("b", 1), gatewayReport(), routeReport("a", 1)}
	built := status.Build(reports)
	slices.Reverse(reports)
	if !reflect.DeepEqual(built, status.Build(reports)) {
		t.Error("the order of the reports shows")
	}
	route := built[routeKey].Route
	if len(route.Parents) != 2 || route.Parents[0].ParentRef.Name != "a" || built[routeKey].Generation != 4 {
		t.Errorf("the route's status is %+v", built[routeKey])
	}
	gateway := built[gatewayKey].Gateway
	if len(gateway.Listeners) != 1 || gateway.Listeners[0].AttachedRoutes != 2 {
		t.Errorf("the Gateway's status is %+v", gateway)
	}
}

func TestListsAreAsLongAsTheCRDsTake(t *testing.T) {
	var reports []*findings.Report
	for i := range 40 {
		reports = append(reports, routeReport(string(rune('a'+i)), 1))
		reports = append(reports, &findings.Report{
			Object:   resources.Key{Kind: resources.BackendTLSPolicy, Name: "p"},
			Subjects: []findings.Subject{{Kind: findings.Policy, Parent: &gatewayv1.ParentReference{Name: gatewayv1.ObjectName(string(rune('a' + i)))}}},
		})
	}
	built := status.Build(reports)
	if n := len(built[routeKey].Route.Parents); n != 32 {
		t.Errorf("%d parents", n)
	}
	if n := len(built[resources.Key{Kind: resources.BackendTLSPolicy, Name: "p"}].Policy.Ancestors); n != 16 {
		t.Errorf("%d ancestors", n)
	}
}

func TestProgrammed(t *testing.T) {
	for _, c := range []struct {
		what       string
		programmed *status.Programmed
		gateway    string
		listener   string
	}{
		{"nothing is known", nil, "True/Programmed", "True/Programmed"},
		{"it runs", &status.Programmed{Active: true}, "True/Programmed", "True/Programmed"},
		{"it does not run yet", &status.Programmed{}, "False/Pending", "False/Pending"},
		{"there is no address", &status.Programmed{Reason: "AddressNotAssigned"}, "False/AddressNotAssigned", "False/Pending"},
		{"the proxy refused it", &status.Programmed{Reason: "Invalid", Message: "no"}, "False/Invalid", "False/Invalid"},
		{"the proxy refused a listener", &status.Programmed{Active: true, Problems: []ir.Problem{
			{Origin: ir.Origin{Object: ir.Object{Kind: "Gateway", Namespace: "ns", Name: "gw"}, Section: "http"}, Message: "in use"},
		}}, "True/Programmed", "False/Invalid"},
	} {
		report := gatewayReport()
		g := status.Build(status.Merge([]*findings.Report{report}, c.programmed))[gatewayKey].Gateway
		if got := is(g.Conditions, "Programmed"); got != c.gateway {
			t.Errorf("%s: the Gateway is %s", c.what, got)
		}
		if got := is(g.Listeners[0].Conditions, "Programmed"); got != c.listener {
			t.Errorf("%s: the listener is %s", c.what, got)
		}
		if !reflect.DeepEqual(report, gatewayReport()) {
			t.Errorf("%s: the report itself was changed", c.what)
		}
	}
}

func TestAProxysObjectionsToRules(t *testing.T) {
	problem := func(rule int) ir.Problem {
		return ir.Problem{Origin: ir.Origin{Object: ir.Object{Kind: "HTTPRoute", Namespace: "ns", Name: "r"}, Rule: rule}, Message: "no"}
	}
	for _, c := range []struct {
		what              string
		problems          []ir.Problem
		accepted, partial string
	}{
		{"one of two", []ir.Problem{problem(1)}, "True/Accepted", "True/UnsupportedValue"},
		{"one of two, twice", []ir.Problem{problem(1), problem(1)}, "True/Accepted", "True/UnsupportedValue"},
		{"both", []ir.Problem{problem(0), problem(1)}, "False/UnsupportedValue", ""},
	} {
		merged := status.Merge([]*findings.Report{routeReport("a", 2)}, &status.Programmed{Active: true, Problems: c.problems})
		parent := status.Build(merged)[routeKey].Route.Parents[0]
		if got := is(parent.Conditions, "Accepted"); got != c.accepted {
			t.Errorf("%s: Accepted is %s", c.what, got)
		}
		if got := is(parent.Conditions, "PartiallyInvalid"); got != c.partial {
			t.Errorf("%s: PartiallyInvalid is %q", c.what, got)
		}
	}
}

func TestAddressesAreTheGateways(t *testing.T) {
	addresses := []gatewayv1.GatewayStatusAddress{{Value: "127.0.0.1"}}
	merged := status.Merge([]*findings.Report{gatewayReport(), routeReport("a", 1)}, &status.Programmed{Active: true, Addresses: addresses})
	if got := status.Build(merged)[gatewayKey].Gateway.Addresses; len(got) != 1 {
		t.Errorf("addresses are %v", got)
	}
}
