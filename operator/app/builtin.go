package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/envoy"
	"github.com/sluice-gateway/sluice/dataplanes/goproxy"
	"github.com/sluice-gateway/sluice/dataplanes/haproxy"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/engine"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// planes are the dataplanes that are built in.
func planes() []dataplanes.Dataplane {
	return []dataplanes.Dataplane{goproxy.Dataplane{}, envoy.Dataplane{}, haproxy.Dataplane{}}
}

// controllers are all controllerNames that are ours, whether or not their
// dataplane is built in.
var controllers = []gatewayv1.GatewayController{"sluice.dev/go", "sluice.dev/haproxy", "sluice.dev/envoy"}

// frontEnds returns the makers of the built-in front ends, with the dataplanes'
// features put into their options.
func frontEnds(by map[gatewayv1.GatewayController]dataplanes.Dataplane, opts gatewayapi.Options) func(*resources.Set) []engine.FrontEnd {
	able := map[gatewayv1.GatewayController]feature.Set{}
	for name, plane := range by {
		able[name] = plane.Features()
	}
	opts.Controllers = able
	return func(set *resources.Set) []engine.FrontEnd {
		return []engine.FrontEnd{gatewayapi.New(set, opts)}
	}
}

// dataplanesBy returns which dataplane serves which controllerName. An engine
// serves them all.
func dataplanesBy(engineName string) (map[gatewayv1.GatewayController]dataplanes.Dataplane, error) {
	by := map[gatewayv1.GatewayController]dataplanes.Dataplane{}
	byName := map[string]dataplanes.Dataplane{}
	for _, plane := range planes() {
		byName[plane.Name()] = plane
		by[gatewayv1.GatewayController("sluice.dev/"+plane.Name())] = plane
	}
	if engineName == "" {
		return by, nil
	}
	plane := byName[engineName]
	if plane == nil {
		return nil, fmt.Errorf("--engine is %q: want one of %s", engineName, strings.Join(slices.Sorted(maps.Keys(byName)), ", "))
	}
	for _, name := range controllers {
		by[name] = plane
	}
	return by, nil
}

// sortedNames are the controllerNames that are served.
func sortedNames(by map[gatewayv1.GatewayController]dataplanes.Dataplane) []gatewayv1.GatewayController {
	return slices.Sorted(maps.Keys(by))
}

func planeNames() []string {
	var names []string
	for _, plane := range planes() {
		names = append(names, plane.Name())
	}
	return names
}
