package terminal

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/engine"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// shown is a report as the terminal shows it.
func shown(t *testing.T, r *findings.Report) string {
	t.Helper()
	var out bytes.Buffer
	sink := New(Options{Out: &out, Title: "x", Locate: func(_ resources.Key, field string) string {
		if strings.HasPrefix(field, "spec.listeners") {
			return "a.yaml:7:3"
		}
		return "a.yaml:9:" + strings.Repeat("1", len(field)%3+1)
	}})
	sink.Publish(engine.Snapshot{Units: []engine.Unit{{Owner: owner, Output: gatewayapi.Output{Reports: []*findings.Report{r}}}}})
	if err := sink.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestOneFactIsToldOnce: a certificate that cannot be read turns five conditions.
func TestOneFactIsToldOnce(t *testing.T) {
	why := findings.Finding{Code: findings.CertificateInvalid, Field: "spec.listeners[0].tls.certificateRefs[0]", Message: "Secret default/x does not exist"}
	gateway := &findings.Report{
		Object: resources.Key{Kind: "Gateway", Namespace: "default", Name: "demo"},
		Subjects: []findings.Subject{
			{Kind: findings.Gateway, Findings: []findings.Finding{
				{Code: findings.ListenersNotResolved, Field: "spec.listeners", Message: "references of https cannot be followed; their conditions say why"},
				{Code: findings.NoValidListeners, Field: "spec.listeners", Message: "no listener is valid; the listeners' conditions say why"},
			}},
			{Kind: findings.Listener, Section: "https", Findings: []findings.Finding{
				why, {Code: findings.NoUsableCertificate, Field: why.Field, Message: "no certificate is usable; correct the references"},
				{Code: findings.ListenerUnsupportedValue, Field: "spec.listeners[0].port", Message: "the port is odd"},
			}},
		},
	}
	want := `x

  ✗ Gateway  default/demo
      listener https, Accepted: UnsupportedValue, Programmed: Invalid
      the port is odd
      a.yaml:7:3
      listener https, ResolvedRefs: InvalidCertificateRef
      Secret default/x does not exist

`
	if got := shown(t, gateway); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	gateway.Subjects = gateway.Subjects[:1]
	if got := shown(t, gateway); !strings.Contains(got, "no listener is valid") {
		t.Errorf("nothing says more, and the summary is gone:\n%s", got)
	}
}

// TestListenersThatWaitForTheirGateway say nothing that the Gateway does not.
func TestListenersThatWaitForTheirGateway(t *testing.T) {
	got := shown(t, &findings.Report{
		Object: resources.Key{Kind: "Gateway", Namespace: "default", Name: "demo"},
		Subjects: []findings.Subject{
			{Kind: findings.Gateway, Findings: []findings.Finding{{Code: findings.ParametersInvalid, Field: "spec.infrastructure", Message: "no such parameters"}}},
			{Kind: findings.Listener, Section: "http", Findings: []findings.Finding{{Code: findings.NotYetProgrammed, Field: "spec.listeners[0]", Message: "its conditions say why"}}},
		},
	})
	if !strings.Contains(got, "no such parameters") || strings.Contains(got, "its conditions") {
		t.Error(got)
	}
}

// TestWhatHoldsForTheWholeGateway is not told for each listener again, and what
// does not run is nothing to try.
func TestWhatHoldsForTheWholeGateway(t *testing.T) {
	var out bytes.Buffer
	sink := New(Options{Out: &out, Served: true})
	s := snapshot(1)
	s.Units[0].Failure = "no proxy can start"
	sink.Publish(s)
	if err := sink.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Count(got, "no proxy can start") != 1 || strings.Contains(got, "try") {
		t.Error(got)
	}
}

func TestWrap(t *testing.T) {
	long := strings.Repeat("x", 50)
	for _, c := range []struct {
		columns int
		text    string
		want    string
	}{
		{0, "a b", "a b"},
		{10, "aaaa bbbb cccc", "aaaa bbbb cccc"},
		{30, "spec.rules[0]: Service ünë does not exist; create it", "spec.rules[0]: Service ünë|does not exist; create it"},
		{30, "see " + long + " there", "see|" + long + "|there"},
	} {
		if got := strings.Join(wrap(c.text, c.columns), "|"); got != c.want {
			t.Errorf("%d columns: got %q", c.columns, got)
		}
	}
}

// TestParentsThatSayTheSame: what is wrong with a route is not told once a Gateway.
func TestParentsThatSayTheSame(t *testing.T) {
	subject := func(parent, message string) findings.Subject {
		return findings.Subject{Kind: findings.Route, Rules: 2, Parent: &gatewayv1.ParentReference{Name: gatewayv1.ObjectName(parent)}, Findings: []findings.Finding{
			{Code: findings.BackendNotFound, Field: "spec.rules[0]", Message: message},
		}}
	}
	route := &findings.Report{Object: resources.Key{Kind: "HTTPRoute", Namespace: "default", Name: "shop"}, Subjects: []findings.Subject{
		subject("a", "Service default/x does not exist"), subject("b", "Service default/x does not exist"), subject("c", "Service default/y does not exist"),
	}}
	want := `x

  ✗ HTTPRoute  default/shop
      at a and at b, ResolvedRefs: BackendNotFound
      Service default/x does not exist
      a.yaml:9:11
      at c, ResolvedRefs: BackendNotFound
      Service default/y does not exist

`
	if got := shown(t, route); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestHostsToTry: a page that opens comes before a service that no browser speaks.
func TestHostsToTry(t *testing.T) {
	l := &ir.Listener{Key: ir.ListenerKey{Owner: owner, Section: "http"}, Hostname: "*"}
	route := func(kind ir.RouteKind, hosts ...string) *ir.Route {
		return &ir.Route{Kind: kind, Attachments: []ir.Attachment{{Listener: l.Key, Hostnames: hosts}}}
	}
	for _, c := range []struct {
		routes []*ir.Route
		want   string
	}{
		{[]*ir.Route{route(ir.GRPCRoute, "grpc"), route(ir.HTTPRoute, "a", "b"), route(ir.HTTPRoute, "a", "c", "d")}, "a b c"},
		{[]*ir.Route{route(ir.GRPCRoute, "grpc"), route(ir.HTTPRoute, "*")}, ""},
		{[]*ir.Route{route(ir.GRPCRoute, "grpc")}, "grpc"},
		{nil, ""},
	} {
		if got := strings.Join(hostsOf(&ir.Proxy{Routes: c.routes}, l), " "); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestURLs(t *testing.T) {
	l := &ir.Listener{Port: 8080, Protocol: ir.HTTP}
	for _, c := range []struct {
		address, host string
		offset        int
		want          string
	}{
		{"127.0.0.1", "demo.localhost", 0, "http://demo.localhost:8080"},
		{"0.0.0.0", "demo.localhost", 0, "http://demo.localhost:8080"},
		{"0.0.0.0", "shop.example", 0, "http://shop.example:8080  (curl --resolve shop.example:8080:127.0.0.1)"},
		{"127.0.0.2", "demo.localhost", 0, "http://demo.localhost:8080  (curl --resolve demo.localhost:8080:127.0.0.2)"},
		{"::", "", -8000, "http://[::1]"},
		{"192.0.2.1", "", 1, "http://192.0.2.1:8081"},
	} {
		if got := urlOf(&engine.Unit{Address: netip.MustParseAddr(c.address), PortOffset: c.offset}, l, c.host); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
	beyond := &engine.Unit{Address: loopback, PortOffset: 60000, Output: gatewayapi.Output{Proxy: &ir.Proxy{Listeners: []*ir.Listener{l}}}}
	if list := append(addressesToTry(beyond), listening(beyond)...); len(list) > 0 {
		t.Errorf("there is no such port: %v", list)
	}
}

func TestListeningTellsOfHTTP3(t *testing.T) {
	proxy := &ir.Proxy{Listeners: []*ir.Listener{
		{Port: 443, Protocol: ir.HTTPS}, {Port: 444, Protocol: ir.HTTPS}, {Port: 444, Protocol: ir.UDP}, {Port: 80, Protocol: ir.HTTP},
	}}
	unit := &engine.Unit{Address: loopback, Output: gatewayapi.Output{Proxy: proxy}}
	for _, c := range []struct {
		enabled bool
		want    []string
	}{
		{false, []string{"HTTPS 127.0.0.1:443", "HTTPS 127.0.0.1:444", "UDP 127.0.0.1:444", "HTTP 127.0.0.1:80"}},
		{true, []string{
			"HTTPS 127.0.0.1:443 and HTTP/3", "HTTPS 127.0.0.1:444 (without HTTP/3: a listener of UDP has its port)",
			"UDP 127.0.0.1:444", "HTTP 127.0.0.1:80",
		}},
	} {
		proxy.Settings.HTTP3.Enabled = c.enabled
		if got := listening(unit); !slices.Equal(got, c.want) {
			t.Errorf("%t: got %q, want %q", c.enabled, got, c.want)
		}
	}
}
