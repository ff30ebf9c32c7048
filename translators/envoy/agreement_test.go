package envoy

import (
	"fmt"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"pgregory.net/rapid"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
	"github.com/sluice-gateway/sluice/test/ordertest"
)

// TestEnvoyAgreesWithOrder holds real Envoy to the slow evaluation that explain
// shows, on random units and requests.
func TestEnvoyAgreesWithOrder(t *testing.T) {
	r := startRig(t, append([]string{"plain"}, ordertest.Hostnames...)...)
	rapid.Check(t, func(t *rapid.T) { agree(t, r) })
}

func agree(t *rapid.T, r *rig) {
	unit := ordertest.Unit(t)
	config := Translate(unit, Target{}, nil)
	r.load(config)
	for range 24 {
		q, sni := ordertest.Request(t, ordertest.Hosts, ordertest.Paths), rapid.SampledFrom(ordertest.Hosts).Draw(t, "sni")
		sent := written(q, spell(t, q.Host))
		for _, p := range config.ports {
			d := r.doors["plain"]
			if p.Protocol == ir.HTTPS {
				l := order.Select(p.Requests(), sni)
				if l == nil || l.Refused != "" {
					continue
				}
				d = r.doors[l.Hostname]
			}
			status, body := d.ask(sent)
			if status != 200 {
				body = ""
			}
			if got, want := fmt.Sprint(status, " ", body), slow(p, sni, q); got != want {
				t.Fatalf("%q, SNI %q, port %d: Envoy says %s, order says %s", sent, sni, p.Port, got, want)
			}
		}
	}
}

// load puts a unit's route configurations in force.
func (r *rig) load(config *Config) {
	var changed []*door
	for _, resource := range config.Routes {
		name := "plain"
		if _, hostname, found := strings.Cut(resource.Name, "/"); found {
			name = hostname
		}
		d := r.doors[name]
		r.write(d, telling(resource.Message).(*routev3.RouteConfiguration))
		changed = append(changed, d)
	}
	for _, d := range changed {
		d.await()
	}
}

// telling is a configuration whose routes answer who they are.
func telling(m proto.Message) proto.Message {
	m = proto.Clone(m)
	tell(m.ProtoReflect())
	return m
}

func tell(m protoreflect.Message) {
	switch m := m.Interface().(type) {
	case *anypb.Any:
		inner, err := m.UnmarshalNew()
		if err != nil {
			panic(err)
		}
		tell(inner.ProtoReflect())
		*m = *typed(inner) //nolint:govet // A test's own message.
		return
	case *routev3.Route:
		if m.GetRoute() != nil {
			m.Action = says(strings.Split(m.GetRoute().GetCluster(), "/")[1] + " " + m.Match.String())
		}
		return
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap() && fd.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				tell(v.Message())
				return true
			})
		case fd.IsList() && fd.Message() != nil:
			for i := range v.List().Len() {
				tell(v.List().Get(i).Message())
			}
		case !fd.IsList() && !fd.IsMap() && fd.Message() != nil:
			tell(v.Message())
		}
		return true
	})
}

// slow answers as explain does.
func slow(p *order.Port, sni string, r order.Request) string {
	chosen, verdict := order.Choose(p.All(), sni, r.Host)
	switch verdict {
	case order.Misdirected:
		return "421 "
	case order.NoListener:
		return "404 "
	case order.Refused:
		return "500 "
	}
	for _, l := range p.Listeners {
		if l.Listener != chosen {
			continue
		}
		if won, ok := order.Winner(l, r); ok {
			if unreadable(won.Entry.Rule.Matches) != nil {
				return "500 "
			}
			return "200 " + won.Entry.Rule.Backends[0].Backend.Service + " " + pathOf(won.Entry.Match().Path).String()
		}
	}
	return "404 "
}

func written(r order.Request, host string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", r.Method, r.Path)
	if r.Query != "" {
		b.WriteString("?" + r.Query)
	}
	fmt.Fprintf(&b, " HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n", host)
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	return b.String() + "\r\n"
}

// spell writes a host in one of the ways that mean it.
func spell(t *rapid.T, host string) string {
	if rapid.Bool().Draw(t, "upper case") {
		host = strings.ToUpper(host[:1]) + host[1:]
	}
	return host + rapid.SampledFrom([]string{"", "", ".", ":80", ":8080", ".:80"}).Draw(t, "tail")
}

// TestFamiliesAgreeWithOrder has all hostnames share virtual hosts.
func TestFamiliesAgreeWithOrder(t *testing.T) {
	shareSooner(t)
	r := startRig(t, append([]string{"plain"}, ordertest.Hostnames...)...)
	rapid.Check(t, func(t *rapid.T) { agree(t, r) })
}
