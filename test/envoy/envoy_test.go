package envoy

import (
	"os"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

func packed(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// listener is one at port 80 whose requests the route configuration "r" leads.
func listener(t *testing.T) *listenerv3.Listener {
	t.Helper()
	manager := &hcmv3.HttpConnectionManager{
		StatPrefix: "http",
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{RouteConfigName: "r", ConfigSource: &corev3.ConfigSource{
			ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
		}}},
		HttpFilters: []*hcmv3.HttpFilter{{
			Name: "envoy.filters.http.router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(t, &routerv3.Router{})},
		}},
	}
	return &listenerv3.Listener{
		Name: "tcp/80", Address: address(80),
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name: "envoy.filters.network.http_connection_manager", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(t, manager)},
		}}}},
	}
}

func address(port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: "0.0.0.0", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}

func routes(regex string) *routev3.RouteConfiguration {
	return &routev3.RouteConfiguration{Name: "r", VirtualHosts: []*routev3.VirtualHost{{
		Name: "v", Domains: []string{"*"},
		Routes: []*routev3.Route{{
			Name: "one",
			Match: &routev3.RouteMatch{
				PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"},
				Headers:       []*routev3.HeaderMatcher{{Name: "x", HeaderMatchSpecifier: &routev3.HeaderMatcher_SafeRegexMatch{SafeRegexMatch: matcher(regex)}}}, //nolint:staticcheck // The shortest message with an expression.
			},
			Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: "c"}}},
		}},
	}}}
}

func cluster(service string) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name: "c", ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig: &clusterv3.Cluster_EdsClusterConfig{ServiceName: service},
	}
}

func endpoints() *endpointv3.ClusterLoadAssignment {
	return &endpointv3.ClusterLoadAssignment{ClusterName: "e", Endpoints: []*endpointv3.LocalityLbEndpoints{{
		LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: address(1)}}}},
	}}}
}

// TestEnvoyObjectsToWhatItIsShown proves that route configurations and endpoints,
// which Envoy does not fetch while it validates, are read, and that of sets that
// are shown together the wrong ones are named and no others.
func TestEnvoyObjectsToWhatItIsShown(t *testing.T) {
	sets := []Set{
		{"good", []proto.Message{listener(t), routes("a+"), cluster("e"), endpoints()}},
		{"the same", []proto.Message{listener(t), routes("a+"), cluster("e"), endpoints()}},
		{"another cluster by that name", []proto.Message{listener(t), routes("a+"), cluster("none")}},
		{"bad expression", []proto.Message{listener(t), routes("a("), cluster("e"), endpoints()}},
		{"no cluster", []proto.Message{listener(t), routes("a+")}},
		{"no routes", []proto.Message{listener(t), cluster("e"), endpoints()}},
	}
	want := []string{"no routes: ", "bad expression: ", "no cluster: "}
	got := refused(t, nil, sets)
	if len(got) != len(want) {
		t.Fatalf("want the refusals %q, have %v", want, got)
	}
	for i, err := range got {
		if !strings.HasPrefix(err.Error(), want[i]) {
			t.Errorf("want %q, have %v", want[i], err)
		}
	}
}

// TestCheckLooksIntoAny breaks a rule two packings deep.
func TestCheckLooksIntoAny(t *testing.T) {
	good := listener(t)
	if err := Check(good); err != nil {
		t.Fatal(err)
	}
	bad := packed(t, &listenerv3.Listener{FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
		Name: "x", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(t, &hcmv3.HttpConnectionManager{
			StatPrefix: "http", HttpFilters: []*hcmv3.HttpFilter{{Name: ""}},
			RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{}},
		})},
	}}}}})
	if err := Check(bad); err == nil || !strings.Contains(err.Error(), "HttpFilter.Name") {
		t.Fatalf("want the filter without a name found, have %v", err)
	}
	if err := Check(&anypb.Any{TypeUrl: "type.googleapis.com/nobody.knows.This"}); err == nil {
		t.Fatal("a message of an unknown type passes")
	}
}

// TestTheProgramIsInherited is what a dataplane relies on that a test starts.
func TestTheProgramIsInherited(t *testing.T) {
	if path := Program(t); os.Getenv(Variable) != path {
		t.Fatalf("$%s is %q, the program %q", Variable, os.Getenv(Variable), path)
	}
}

func matcher(regex string) *matcherv3.RegexMatcher { return &matcherv3.RegexMatcher{Regex: regex} }
