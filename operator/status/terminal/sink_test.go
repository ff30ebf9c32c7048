package terminal

import (
	"bytes"
	"net/netip"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/engine"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source/dir"
)

var owner = ir.Object{Kind: "Gateway", Namespace: "default", Name: "demo"}

// snapshot is a Gateway with one route, about which something may be found.
func snapshot(generation int64, found ...findings.Finding) engine.Snapshot {
	listener := &ir.Listener{Key: ir.ListenerKey{Owner: owner, Section: "http"}, Port: 8080, Protocol: ir.HTTP, Hostname: "*"}
	route := &ir.Route{Kind: ir.HTTPRoute, Attachments: []ir.Attachment{{Listener: listener.Key, Hostnames: []string{"demo.localhost"}}}}
	parent := gatewayv1.ParentReference{Name: "demo"}
	return engine.Snapshot{Units: []engine.Unit{{
		Owner: owner, Version: "1", Address: netip.MustParseAddr("127.0.0.1"), PortOffset: 1,
		Outcome: &engine.Outcome{Owner: owner, Version: "1"},
		Output: gatewayapi.Output{
			Proxy: &ir.Proxy{Owner: owner, Listeners: []*ir.Listener{listener}, Routes: []*ir.Route{route}},
			Reports: []*findings.Report{
				{Object: resources.Key{Kind: "Gateway", Namespace: "default", Name: "demo"}, Subjects: []findings.Subject{{Kind: findings.Gateway}, {Kind: findings.Listener, Section: "http"}}},
				{
					Object: resources.Key{Kind: "HTTPRoute", Namespace: "default", Name: "shop"}, Generation: generation,
					Subjects: []findings.Subject{{Kind: findings.Route, Parent: &parent, Findings: found, Rules: 2}},
				},
			},
		},
	}}}
}

func TestWhatIsShown(t *testing.T) {
	var out bytes.Buffer
	sink := New(Options{Out: &out, Title: "Sluice serves x", Served: true, Locate: func(_ resources.Key, field string) string { return "x/a.yaml:7:3 (" + field + ")" }})
	step := func(what, want string, change func()) {
		t.Helper()
		out.Reset()
		change()
		if err := sink.Flush(); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", what, got, want)
		}
	}
	step("the start", `Sluice serves x

  ✓ Gateway    default/demo  HTTP 127.0.0.1:8081
  ✓ HTTPRoute  default/shop  to demo

  try http://demo.localhost:8081

`, func() { sink.Publish(snapshot(1)) })
	step("nothing new", "", func() { sink.Publish(snapshot(1)) })
	step("an edit", "  ✓ HTTPRoute  default/shop  to demo\n", func() { sink.Publish(snapshot(2)) })
	step("a dangling reference", `  ✗ HTTPRoute  default/shop
      at demo, ResolvedRefs: BackendNotFound
      Service default/nobody does not exist?[31m
      x/a.yaml:7:3 (spec.rules[1])
`, func() {
		sink.Publish(snapshot(2, findings.Finding{Code: findings.BackendNotFound, Field: "spec.rules[1]", Message: "Service default/nobody does not exist\x1b[31m"}))
	})
	if sink.Healthy() {
		t.Error("a dangling reference is healthy")
	}
	problem := dir.Problem{Place: dir.Place{File: "a.yaml", Line: 3, Column: 1}, Message: "is no YAML", Kept: true}
	step("a broken file",
		"  ✓ HTTPRoute  default/shop  to demo\n  ! a.yaml:3:1\n      is no YAML\n      its last good state stays in force\n", func() {
			sink.Publish(snapshot(3))
			sink.Problems([]dir.Problem{problem})
		})
	if sink.Healthy() {
		t.Error("a broken file is healthy")
	}
	step("a mended file", "  ✓ a.yaml\n", func() { sink.Problems(nil) })
	step("all gone", "  - Gateway    default/demo  gone\n  - HTTPRoute  default/shop  gone\n", func() { sink.Publish(engine.Snapshot{}) })
}

func TestColoursOnlyWhereAsked(t *testing.T) {
	for _, colour := range []bool{false, true} {
		var out bytes.Buffer
		sink := New(Options{Out: &out, Served: true, Colour: colour})
		sink.Publish(snapshot(1))
		if err := sink.Flush(); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(out.Bytes(), []byte("\x1b[")) != colour {
			t.Errorf("colour %v: %q", colour, out.String())
		}
	}
}

// A listener that the proxy objects to is not offered: whatever answers at its
// address is another program.
func TestNothingToTryWhereNobodyListens(t *testing.T) {
	u := &snapshot(1).Units[0]
	if len(addressesToTry(u)) == 0 {
		t.Fatal("a listener that serves is not offered")
	}
	u.Outcome.Problems = []ir.Problem{{Origin: ir.Origin{Object: owner, Section: "http"}, Message: "port 8080 cannot be bound"}}
	if list := addressesToTry(u); len(list) > 0 {
		t.Errorf("offered where another program listens: %v", list)
	}
	u.Outcome.Problems = nil
	u.Output.Proxy.Listeners[0].Refused = "no certificate"
	if list := addressesToTry(u); len(list) > 0 {
		t.Errorf("offered for a refused listener: %v", list)
	}
}
