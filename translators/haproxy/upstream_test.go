package haproxy

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// one is a unit of one route to one backend.
func one(b ir.Backend, endpoints ...ir.Endpoint) *ir.Unit {
	b.Key.EndpointsKey = ir.EndpointsKey{Namespace: "shop", Service: "cart", Port: 8080}
	if b.Key.Protocol == "" {
		b.Key.Protocol = ir.BackendHTTP1
	}
	return &ir.Unit{
		Proxy: &ir.Proxy{
			Listeners: []*ir.Listener{{Key: listenerKey, Port: 80, Protocol: ir.HTTP, Hostname: "*"}},
			Routes: []*ir.Route{{
				Kind: ir.HTTPRoute, Attachments: []ir.Attachment{{Listener: listenerKey, Hostnames: []string{"*"}}},
				Rules: []*ir.Rule{{
					Origin:   ir.Origin{Object: ir.Object{Kind: "HTTPRoute", Namespace: "shop", Name: "cart"}},
					Matches:  []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: "/"}}},
					Backends: []ir.BackendUse{{Backend: &b.Key, Weight: 1}},
				}},
			}},
			Backends: []*ir.Backend{&b},
		},
		Endpoints: []*ir.Endpoints{{Key: b.Key.EndpointsKey, Endpoints: endpoints}},
	}
}

var listenerKey = ir.ListenerKey{Owner: ir.Object{Kind: "Gateway", Namespace: "shop", Name: "gw"}, Section: "http"}

func here() Target {
	return Target{Address: netip.MustParseAddr("127.0.0.1"), PortOffset: 10000, Zone: "here"}
}

// backend returns the section of the one backend of a unit.
func backend(t *testing.T, c *Config) *Section {
	t.Helper()
	for _, s := range c.Sections {
		if strings.HasPrefix(s.Name, "shop_cart_8080_") {
			return s
		}
	}
	t.Fatalf("there is no section of shop/cart:\n%s", c.Text())
	return nil
}

func servers(s *Section) []string {
	var all []string
	if s.Pool != nil {
		for _, one := range s.Pool.Servers {
			all = append(all, s.Pool.Line(one))
		}
	}
	return all
}

func TestEndpointsAreServersInTiers(t *testing.T) {
	zones := func(at, zone string, draining bool) ir.Endpoint {
		return ir.Endpoint{Address: at, Port: 80, ForZones: []string{zone}, Draining: draining}
	}
	for _, tc := range []struct {
		name string
		in   []ir.Endpoint
		want []string
	}{
		{"none", nil, nil},
		{"alike", []ir.Endpoint{{Address: "10.0.0.2", Port: 80}, {Address: "fd00::7", Port: 81}}, []string{
			"server 10.0.0.2_80 10.0.0.2:80 weight 1", "server fd00--7_81 [fd00::7]:81 weight 1",
		}},
		{"draining", []ir.Endpoint{zones("10.0.0.2", "", true), zones("10.0.0.3", "", false)}, []string{
			"server 10.0.0.2_80_backup 10.0.0.2:80 weight 1 backup", "server 10.0.0.3_80 10.0.0.3:80 weight 1",
		}},
		{"all drain", []ir.Endpoint{zones("10.0.0.2", "", true), zones("10.0.0.3", "", true)}, []string{
			"server 10.0.0.2_80 10.0.0.2:80 weight 1", "server 10.0.0.3_80 10.0.0.3:80 weight 1",
		}},
		{"three tiers", []ir.Endpoint{zones("10.0.0.2", "here", false), zones("10.0.0.3", "there", false), zones("10.0.0.4", "here", true)}, []string{
			"server 10.0.0.2_80 10.0.0.2:80 weight 1", "server 10.0.0.3_80_backup 10.0.0.3:80 weight 1 backup", "server 10.0.0.4_80_backup 10.0.0.4:80 weight 0 backup",
		}},
		{"no addresses", []ir.Endpoint{{Address: "a.example", Port: 80}, {Address: "fe80::1%eth0", Port: 80}, {Address: "10.0.0.2"}, {Address: "::ffff:10.0.0.3", Port: 80}}, []string{
			"server 10.0.0.3_80 10.0.0.3:80 weight 1",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := Translate(one(ir.Backend{}, tc.in...), here(), nil)
			s := backend(t, c)
			s.Pool.says = "" // What all have is looked at elsewhere.
			s.Pool.Params.PoolMaxConn, s.Pool.Params.PoolPurgeDelay = nil, nil
			if got := servers(s); strings.Join(got, "\n") != strings.Join(tc.want, "\n") {
				t.Errorf("servers:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
			check(t, c)
		})
	}
}

func TestHAProxyTakesWhatIsSaidOfBackends(t *testing.T) {
	ca := issued(t, "authority", "ecdsa").Chain
	all := map[string]ir.Backend{
		"h2c":     {Key: ir.BackendKey{Protocol: ir.BackendH2C}},
		"h2":      {Key: ir.BackendKey{Protocol: ir.BackendH2}, TLS: &ir.BackendTLS{Hostname: "a.internal", CAs: ca}},
		"system":  {TLS: &ir.BackendTLS{Hostname: "a.internal", SystemCAs: true}},
		"name":    {TLS: &ir.BackendTLS{Hostname: "a.internal", CAs: ca, SANs: []ir.SAN{{DNS: "b.internal"}}}},
		"least":   {Balancing: ir.Balancing{Algorithm: ir.LeastRequest}},
		"client":  {Balancing: ir.Balancing{Algorithm: ir.ConsistentHash, Hash: ir.HashKey{Kind: ir.HashClientIP}}},
		"header":  {Balancing: ir.Balancing{Algorithm: ir.ConsistentHash, Hash: ir.HashKey{Kind: ir.HashHeader, Name: "x-user"}}},
		"cookie":  {Balancing: ir.Balancing{Algorithm: ir.ConsistentHash, Hash: ir.HashKey{Kind: ir.HashCookie, Name: "user"}}},
		"ejected": {Ejection: &ir.Ejection{Failures: 3, BaseTime: ir.Duration(10 * time.Second), MaxTime: ir.Duration(time.Minute), MaxPercent: 50}},
	}
	for name, b := range all {
		t.Run(name, func(t *testing.T) {
			c := Translate(one(b, ir.Endpoint{Address: "10.0.0.2", Port: 80}), here(), nil)
			if n := len(servers(backend(t, c))); n != 1 {
				t.Fatalf("%d servers, want 1", n)
			}
			check(t, c)
		})
	}
}

func TestWhatCannotBeFollowedIsSpokenToByNobody(t *testing.T) {
	ca := issued(t, "authority", "ecdsa").Chain
	all := map[string]ir.BackendTLS{
		"invalid":        {Hostname: "a.internal", CAs: ca, Invalid: "there is no ConfigMap"},
		"nothing trusts": {Hostname: "a.internal", CAs: "none"},
		"nobody":         {CAs: ca},
		"no name":        {Hostname: "a.internal) ssl verify none", CAs: ca},
		"no key":         {Hostname: "a.internal", CAs: ca, ClientCertificate: &ir.CertificateKey{Namespace: "a", Name: "b"}},
	}
	for name, tls := range all {
		t.Run(name, func(t *testing.T) {
			c := Translate(one(ir.Backend{TLS: &tls}, ir.Endpoint{Address: "10.0.0.2", Port: 80}), here(), nil)
			if got := servers(backend(t, c)); len(got) != 0 {
				t.Errorf("servers: %v", got)
			}
			check(t, c)
		})
	}
}

func TestWhatServersHaveIsPartOfTheSectionsName(t *testing.T) {
	name := func(b ir.Backend) string { return backend(t, Translate(one(b), here(), nil)).Name }
	a, b := name(ir.Backend{TLS: &ir.BackendTLS{Hostname: "a", SystemCAs: true}}), name(ir.Backend{TLS: &ir.BackendTLS{Hostname: "b", SystemCAs: true}})
	none := name(ir.Backend{TLS: &ir.BackendTLS{Hostname: "b", Invalid: "so"}})
	if a == b || b == none {
		t.Errorf("names: %s, %s, %s", a, b, none)
	}
}

func TestWhatHasNotChangedIsTakenOver(t *testing.T) {
	u := services(3)
	first := Translate(u, here(), nil)
	next := &ir.Unit{Proxy: u.Proxy, Endpoints: append([]*ir.Endpoints(nil), u.Endpoints...)}
	next.Endpoints[1] = tenOf(u.Endpoints[1].Key, 1, 1)
	second := Translate(next, here(), first)
	was := map[string]*Section{}
	for _, s := range first.Sections {
		was[s.Name] = s
	}
	for _, s := range second.Sections {
		if s.Pool == nil {
			continue
		}
		changed := s.Pool.Endpoints == u.Endpoints[1].Key
		if changed == (was[s.Name] == s) {
			t.Errorf("%s: taken over: %t", s.Name, !changed)
		}
		if changed && s.Pool.Servers[0].Address.Addr().String() != "10.0.1.20" {
			t.Errorf("%s: first server %v", s.Name, s.Pool.Servers[0])
		}
	}
}
