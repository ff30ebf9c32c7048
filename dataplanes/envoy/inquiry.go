package envoy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/dataplanes/agent"
	"github.com/sluice-gateway/sluice/dataplanes/agent/verdict"
	"github.com/sluice-gateway/sluice/dataplanes/envoy/ads"
	"github.com/sluice-gateway/sluice/ir"
	translator "github.com/sluice-gateway/sluice/translators/envoy"
)

// inquiry finds out which elements of a unit Envoy refuses. It asks an Envoy of its
// own, that serves nothing: what serves is never tried on.
type inquiry struct {
	u        *unit
	unit     *ir.Unit
	verdicts *verdict.Verdicts
	config   *translator.Config
	checker  *process
	tests    int
}

// end ends the Envoy that was asked.
func (q *inquiry) end() {
	if q.checker != nil {
		q.checker.stop()
	}
}

// blame turns refusals into verdicts, and reports whether there is a new one.
func (q *inquiry) blame(ctx context.Context, refusals []ads.Refusal) (bool, error) {
	news := false
	for _, r := range refusals {
		by := wordsBy(r.Message, r.Names)
		for _, name := range r.Names {
			words, named := by[name]
			if !named {
				continue
			}
			found, err := q.blameResource(ctx, r.Kind, name, words)
			if err != nil {
				return news, err
			}
			news = news || found
		}
	}
	return news, nil
}

func (q *inquiry) blameResource(ctx context.Context, kind ads.Kind, name, words string) (bool, error) {
	if kind == ads.Listeners && q.u.loses(name, words) {
		return true, nil
	}
	listeners, rules := q.suspects(kind, name)
	if kind != ads.Listeners && kind != ads.Routes {
		return q.refuseAll(listeners, rules, objection(words), q.parts(name)...), nil
	}
	for _, suspects := range q.u.Good.Rows(listeners, rules) {
		guilty, err := agent.Bisect(suspects, func(some []any) (string, error) { return q.test(ctx, kind, name, some) })
		if err != nil || len(guilty) > 0 {
			return q.refuseGuilty(guilty), err
		}
	}
	return false, nil
}

// refuseGuilty refuses what was found, as long as the listeners are what they are:
// a rule may be refused for the hostname that it is served under.
func (q *inquiry) refuseGuilty(guilty []agent.Guilty[any]) bool {
	news := false
	for _, g := range guilty {
		news = q.refuse(g.Suspect, objection(g.Words), verdict.Elements(q.unit.Proxy.Listeners)...) || news
	}
	return news
}

func (q *inquiry) refuse(element any, words string, because ...any) bool {
	switch e := element.(type) {
	case *ir.Rule:
		return q.verdicts.Refuse(e, words, because...)
	case *ir.Listener:
		return q.verdicts.RefuseListener(e, words, because...)
	default:
		return false
	}
}

func (q *inquiry) refuseAll(listeners []*ir.Listener, rules []*ir.Rule, words string, because ...any) bool {
	news := false
	for _, e := range append(verdict.Elements(listeners), verdict.Elements(rules)...) {
		news = q.refuse(e, words, because...) || news
	}
	return news
}

// suspects are the elements that a resource was made from.
func (q *inquiry) suspects(kind ads.Kind, name string) ([]*ir.Listener, []*ir.Rule) {
	origins := map[ir.Origin]bool{}
	for _, origin := range originsOf(q.config, kind, name) {
		origins[origin] = true
	}
	var listeners []*ir.Listener
	for _, l := range q.unit.Proxy.Listeners {
		if origins[verdict.OriginOf(l)] || kind == ads.Secrets && names(l.TLS, name) || kind == ads.Listeners && slices.Contains(listenersAt(q.unit, name), l) {
			listeners = append(listeners, l)
		}
	}
	var rules []*ir.Rule
	for _, rule := range verdict.RulesOf(q.unit) {
		if kind == ads.Routes || kind == ads.Listeners || origins[rule.Origin] || q.reaches(rule, name) {
			rules = append(rules, rule)
		}
	}
	return listeners, rules
}

// names reports whether a listener has the certificate of a resource.
func names(tls *ir.ListenerTLS, resource string) bool {
	return tls != nil && slices.ContainsFunc(tls.Certificates, func(key ir.CertificateKey) bool {
		return resource == "certificate/"+key.Namespace+"/"+key.Name
	})
}

// reaches reports whether a rule sends requests to what a cluster, its endpoints or
// its certificate are.
func (q *inquiry) reaches(rule *ir.Rule, resource string) bool {
	return slices.ContainsFunc(verdict.BackendsOf(rule), func(key ir.BackendKey) bool {
		at := fmt.Sprintf("%s/%s/%d", key.Namespace, key.Service, key.Port)
		if resource == at || strings.HasPrefix(resource+"/", at+"/"+string(key.Protocol)+"/") {
			return true
		}
		b := q.backend(key)
		return b != nil && b.TLS != nil && b.TLS.ClientCertificate != nil &&
			resource == "certificate/"+b.TLS.ClientCertificate.Namespace+"/"+b.TLS.ClientCertificate.Name
	})
}

func (q *inquiry) backend(key ir.BackendKey) *ir.Backend {
	i := slices.IndexFunc(q.unit.Proxy.Backends, func(b *ir.Backend) bool { return b.Key == key })
	if i < 0 {
		return nil
	}
	return q.unit.Proxy.Backends[i]
}

// parts are what of the unit a resource is made from, beside rules and listeners.
func (q *inquiry) parts(resource string) []any {
	var parts []any
	for _, b := range q.unit.Proxy.Backends {
		at := fmt.Sprintf("%s/%s/%d", b.Key.Namespace, b.Key.Service, b.Key.Port)
		if strings.HasPrefix(resource+"/", at+"/") {
			parts = append(parts, b)
		}
	}
	for _, c := range q.unit.Proxy.Certificates {
		if resource == "certificate/"+c.Key.Namespace+"/"+c.Key.Name {
			parts = append(parts, c)
		}
	}
	for _, e := range q.unit.Endpoints {
		if resource == fmt.Sprintf("%s/%s/%d", e.Key.Namespace, e.Key.Service, e.Key.Port) {
			parts = append(parts, e)
		}
	}
	return parts
}

// test asks whether Envoy refuses a resource that is made from some of the elements
// alone, and returns its words; none where it does not.
func (q *inquiry) test(ctx context.Context, kind ads.Kind, name string, some []any) (string, error) {
	config := translator.Translate(q.verdicts.Apply(verdict.Only(q.unit, some)), q.u.target(), nil)
	i := slices.IndexFunc(resourcesOf(config, kind), func(r *translator.Resource) bool { return r.Name == name })
	if i < 0 {
		return "", nil
	}
	if err := q.begin(); err != nil {
		return "", err
	}
	q.tests++
	q.checker.server.Put(ads.Listeners, []ads.Resource{q.trial(resourcesOf(config, kind)[i].Message)})
	refusals, err := q.checker.server.Settle(ctx)
	if err != nil || len(refusals) == 0 {
		return "", err
	}
	trial := fmt.Sprintf("trial/%d", q.tests)
	return wordsBy(refusals[0].Message, []string{trial})[trial], nil
}

func (q *inquiry) begin() error {
	if q.checker != nil {
		return nil
	}
	l, err := q.u.launch()
	if err != nil {
		return err
	}
	l.threads, l.lines, l.node = 1, nil, l.node+"/trial"
	q.checker, err = startProcess(l)
	return err
}

// trial is a listener that binds nothing, with what is to be tried.
func (q *inquiry) trial(m proto.Message) ads.Resource {
	name := fmt.Sprintf("trial/%d", q.tests)
	listener, ok := m.(*listenerv3.Listener)
	if ok {
		listener = proto.CloneOf(listener)
	} else {
		listener = tryRoutes(m.(*routev3.RouteConfiguration))
	}
	listener.Name, listener.BindToPort = name, wrapperspb.Bool(false)
	return ads.Resource{Name: name, Message: listener}
}

// tryRoutes is a listener with routes in it, whose clusters need not be there.
func tryRoutes(routes *routev3.RouteConfiguration) *listenerv3.Listener {
	routes = proto.CloneOf(routes)
	routes.ValidateClusters = wrapperspb.Bool(false)
	return &listenerv3.Listener{
		Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: "127.0.0.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 1},
		}}},
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name: "http", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(&hcmv3.HttpConnectionManager{
				StatPrefix:     "trial",
				RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: routes},
				HttpFilters: []*hcmv3.HttpFilter{{
					Name: "envoy.filters.http.router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(&routerv3.Router{})},
				}},
			})},
		}}}},
	}
}
