package envoy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"pgregory.net/rapid"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// TestEnvoyAgreesWithOrder holds real Envoy to the slow evaluation that explain
// shows, on random units and requests.
func TestEnvoyAgreesWithOrder(t *testing.T) {
	r := startRig(t, append([]string{"plain"}, attached...)...)
	rapid.Check(t, func(t *rapid.T) { agree(t, r) })
}

const (
	plainPort  = 80
	securePort = 443
)

func agree(t *rapid.T, r *rig) {
	unit := drawUnit(t)
	config := Translate(unit, Target{}, nil)
	r.load(config)
	for range 24 {
		q, sni := drawRequest(t), rapid.SampledFrom(hosts).Draw(t, "sni")
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

// What is drawn from is small, so that matches meet requests often.
var (
	hosts    = []string{"a.org", "b.a.org", "c.b.a.org", "org", "b.org", "x.net"}
	attached = []string{"*", "a.org", "b.a.org", "*.a.org", "*.org", "x.net", "*.net"}
	paths    = []string{"/", "/a", "/a/", "/a/b", "/a/b/c", "/ab", "/b", "/~a", "/a%20b", "/admin/x", "/admin"}
	prefixes = []string{"/", "/a", "/a/b", "/a/b/c", "/ab", "/%7Ea", "/~a", "/b"}
	patterns = []string{"/a.*", "/a/[bc]", ".*", "/a|/b", "/admin/(", "(", "/[ab]", "a)|(b", "^/a/.*", "(?i)/A/B", "/admin/.*", "/a/b.*", "/ab?/.*", "/a/b/.*", "/a/b$", "^/a($|/.*$)"}
	values   = []string{"1", "2", "1,2", "", "a b"}
	queries  = []string{"", "p=1", "p=2&q=1", "q=a+b", "%70=1&p=2", "p", "p=%31", "&&q=%zz", "P=1", "p=a%20b&q=2"}
)

func drawUnit(t *rapid.T) *ir.Unit {
	owner := ir.Object{Kind: "Gateway", Namespace: "n", Name: "g"}
	key := ir.CertificateKey{Namespace: "n", Name: "tls"}
	proxy := &ir.Proxy{Owner: owner, Certificates: []*ir.Certificate{{Key: key}}}
	for _, port := range []uint16{plainPort, securePort} {
		protocol := ir.HTTP
		if port == securePort {
			protocol = ir.HTTPS
		}
		for i, h := range rapid.SliceOfNDistinct(rapid.SampledFrom(attached), 1, 4, rapid.ID[string]).Draw(t, "listeners") {
			l := &ir.Listener{
				Key:  ir.ListenerKey{Owner: owner, Section: fmt.Sprintf("%s-%d", h, port)},
				Port: port, Protocol: protocol, Hostname: h,
			}
			if protocol == ir.HTTPS {
				l.TLS = &ir.ListenerTLS{Mode: ir.Terminate, Certificates: []ir.CertificateKey{key}}
			}
			if i > 0 {
				l.Refused = rapid.SampledFrom([]string{"", "", "", "a reason"}).Draw(t, "refused")
			}
			proxy.Listeners = append(proxy.Listeners, l)
		}
	}
	for i := range rapid.IntRange(1, 6).Draw(t, "routes") {
		proxy.Routes = append(proxy.Routes, drawRoute(t, i, proxy.Listeners))
	}
	return &ir.Unit{Proxy: proxy}
}

func drawRoute(t *rapid.T, index int, listeners []*ir.Listener) *ir.Route {
	route := &ir.Route{
		Origin:  ir.Object{Kind: "HTTPRoute", Namespace: "n", Name: fmt.Sprintf("r%d", index)},
		Kind:    ir.HTTPRoute,
		Created: time.Unix(rapid.Int64Range(1, 3).Draw(t, "created"), 0),
	}
	for _, l := range listeners {
		names := rapid.SliceOfNDistinct(rapid.SampledFrom(attached), 0, 3, rapid.ID[string]).Draw(t, "hostnames")
		// The ir holds intersections alone.
		names = slices.DeleteFunc(names, func(name string) bool { return !covers(l.Hostname, name) })
		route.Attachments = append(route.Attachments, ir.Attachment{Listener: l.Key, Hostnames: names})
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "rules") {
		// Now and then, long lists of matches are drawn, for what is looked up.
		matches := rapid.SliceOfN(rapid.Custom(drawMatch), 1, rapid.SampledFrom([]int{2, 40}).Draw(t, "most")).Draw(t, "matches")
		route.Rules = append(route.Rules, &ir.Rule{
			Origin: ir.Origin{Object: route.Origin, Rule: i}, Matches: matches,
			Backends: []ir.BackendUse{{Weight: 1, Backend: &ir.BackendKey{
				EndpointsKey: ir.EndpointsKey{Namespace: "n", Service: fmt.Sprintf("r%d-%d", index, i), Port: 80}, Protocol: "http1",
			}}},
		})
	}
	return route
}

func drawMatch(t *rapid.T) ir.Match {
	var m ir.Match
	switch m.Path.Kind = rapid.SampledFrom([]ir.MatchKind{ir.Exact, ir.Prefix, ir.Regex}).Draw(t, "kind"); m.Path.Kind {
	case ir.Exact:
		m.Path.Value = rapid.SampledFrom(paths).Draw(t, "exact")
	case ir.Prefix:
		m.Path.Value = rapid.SampledFrom(prefixes).Draw(t, "prefix")
	default:
		m.Path.Value = rapid.SampledFrom(patterns).Draw(t, "pattern")
	}
	m.Method = rapid.SampledFrom([]string{"", "", "GET", "POST"}).Draw(t, "method")
	m.Headers = drawValues(t, "x-a", "x-b")
	m.Query = drawValues(t, "p", "q")
	return m
}

func drawValues(t *rapid.T, names ...string) []ir.ValueMatch {
	var all []ir.ValueMatch
	for _, name := range names {
		switch rapid.IntRange(0, 5).Draw(t, name) {
		case 0:
			all = append(all, ir.ValueMatch{Name: name, Kind: ir.Exact, Value: rapid.SampledFrom(values).Draw(t, "value")})
		case 1:
			pattern := rapid.SampledFrom([]string{"[0-9]", ".*", ".+", "[12]", "1,2", "a b", "a[ ]b", "("}).Draw(t, "expression")
			all = append(all, ir.ValueMatch{Name: name, Kind: ir.Regex, Value: pattern})
		}
	}
	return all
}

func drawRequest(t *rapid.T) order.Request {
	r := order.Request{
		Method: rapid.SampledFrom([]string{"GET", "POST"}).Draw(t, "method"),
		Host:   rapid.SampledFrom(hosts).Draw(t, "host"),
		Path:   rapid.SampledFrom(paths).Draw(t, "path"),
		Query:  rapid.SampledFrom(queries).Draw(t, "query"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "headers") {
		r.Headers = append(r.Headers, ir.Header{
			Name: rapid.SampledFrom([]string{"X-A", "x-a", "X-b", "y"}).Draw(t, "name"), Value: rapid.SampledFrom(values).Draw(t, "value"),
		})
	}
	return r
}

// covers reports whether one hostname covers all hosts of another.
func covers(wide, narrow string) bool {
	if wide == narrow || wide == order.AnyHost || narrow == order.AnyHost {
		return wide == narrow || wide == order.AnyHost
	}
	return order.MatchHostname(wide, strings.Replace(narrow, "*", "any", 1))
}

// TestFamiliesAgreeWithOrder has all hostnames share virtual hosts.
func TestFamiliesAgreeWithOrder(t *testing.T) {
	shareSooner(t)
	r := startRig(t, append([]string{"plain"}, attached...)...)
	rapid.Check(t, func(t *rapid.T) { agree(t, r) })
}
