package gatewayapi_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// who says who may set a field: the class alone, whatever it says; the class
// unless it leaves the field to its Gateways; or Gateways too, unless the class
// takes it from them.
type who int

const (
	classAlone who = iota
	classUnlessLeft
	gatewaysToo
)

// decisions has every field of service and pods, with a value and who may set it.
var decisions = map[string]struct {
	value string
	who   who
}{
	"service.type":                          {`NodePort`, classUnlessLeft},
	"service.externalTrafficPolicy":         {`Local`, gatewaysToo},
	"service.loadBalancerClass":             {`example.com/a`, classUnlessLeft},
	"service.loadBalancerSourceRanges":      {`[192.0.2.0/24]`, classUnlessLeft},
	"service.allocateLoadBalancerNodePorts": {`false`, classUnlessLeft},
	"service.nodePorts":                     {`[{port: 80, nodePort: 30080}]`, classUnlessLeft},
	"service.ipFamilyPolicy":                {`PreferDualStack`, gatewaysToo},
	"service.ipFamilies":                    {`[IPv6]`, gatewaysToo},
	"service.annotations":                   {`{a: b}`, classUnlessLeft},
	"service.labels":                        {`{a: b}`, classUnlessLeft},
	"service.addressAnnotation":             {`metallb.io/loadBalancerIPs`, classAlone},
	"pods.replicas":                         {`3`, gatewaysToo},
	"pods.resources":                        {`{requests: {cpu: 2}}`, gatewaysToo},
	"pods.nodeSelector":                     {`{a: b}`, classUnlessLeft},
	"pods.tolerations":                      {`[{operator: Exists}]`, classUnlessLeft},
	"pods.affinity":                         {`{nodeAffinity: {}}`, classUnlessLeft},
	"pods.topologySpreadConstraints":        {`[]`, gatewaysToo},
	"pods.priorityClassName":                {`high`, classUnlessLeft},
	"pods.annotations":                      {`{a: b}`, classUnlessLeft},
	"pods.labels":                           {`{a: b}`, classUnlessLeft},
	"pods.image":                            {`example.com/mine`, classAlone},
	"pods.imagePullPolicy":                  {`Always`, classAlone},
	"pods.imagePullSecrets":                 {`[{name: a}]`, classAlone},
	"pods.disruptionBudget":                 {`{maxUnavailable: 2}`, gatewaysToo},
	"pods.strategy":                         {`{maxSurge: 2}`, gatewaysToo},
}

func TestWhoMaySetAFieldOfServiceAndPods(t *testing.T) {
	fields := append(jsonFields[v1alpha1.ServiceParameters]("service."), jsonFields[v1alpha1.PodParameters]("pods.")...)
	for _, field := range fields {
		d, decided := decisions[field]
		if !decided {
			t.Errorf("%s has no line here: decide who may set it", field)
			continue
		}
		t.Run(field, func(t *testing.T) {
			for _, c := range []struct {
				class   string
				allowed bool
			}{
				{`{}`, d.who == gatewaysToo},
				{`{gateways: {mayOverride: []}}`, false},
				{`{gateways: {mayOverride: [` + field + `]}}`, d.who != classAlone},
			} {
				out := translateWith(t, c.class, own(field, d.value))
				if got := out.Proxy != nil; got != c.allowed {
					t.Errorf("where the class says %s, a Gateway sets %s: %v, want %v", c.class, field, got, c.allowed)
				}
				// A class that leaves what it cannot is refused itself, and says so.
				if classRefused := d.who == classAlone && strings.Contains(c.class, field); !c.allowed && !classRefused && !says(out.Reports, "spec.infrastructure.parametersRef -> spec."+field+": ") {
					t.Errorf("where the class says %s, nothing says that %s is refused", c.class, field)
				}
			}
			// The class itself may set everything.
			if out := translateWith(t, own(field, d.value), `{}`); out.Proxy == nil {
				t.Errorf("the class may not set %s: %v", field, out.Reports[0])
			}
		})
	}
	if out := translateWith(t, `{}`, `{gateways: {mayOverride: [pods.image]}}`); out.Proxy != nil {
		t.Error("a Gateway says itself what it may set")
	}
}

func jsonFields[T any](prefix string) []string {
	var names []string
	for field := range reflect.TypeFor[T]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, prefix+name)
	}
	return names
}

// own is a spec with one field.
func own(field, value string) string {
	part, name, _ := strings.Cut(field, ".")
	return fmt.Sprintf(`{%s: {%s: %s}}`, part, name, value)
}

func says(reports []*findings.Report, words string) bool {
	for _, r := range reports {
		for _, s := range r.Subjects {
			for _, f := range s.Findings {
				if strings.Contains(f.Message, words) {
					return true
				}
			}
		}
	}
	return false
}

const parameterised = `
apiVersion: sluice.dev/v1alpha1
kind: GatewayParameters
metadata: {namespace: platform, name: class}
spec: %s
---
apiVersion: sluice.dev/v1alpha1
kind: GatewayParameters
metadata: {namespace: infra, name: own}
spec: %s
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: sluice}
spec: {controllerName: sluice.dev/go, parametersRef: {group: sluice.dev, kind: GatewayParameters, namespace: platform, name: class}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {namespace: infra, name: gateway}
spec:
  gatewayClassName: sluice
  infrastructure: {parametersRef: {group: sluice.dev, kind: GatewayParameters, name: own}}
  listeners: [{name: http, port: 80, protocol: HTTP}]
`

// translateWith translates a Gateway with the specs of its class's parameters and
// of its own.
func translateWith(t *testing.T, class, own string) gatewayapi.Output {
	t.Helper()
	events := decode(fmt.Appendf(nil, parameterised, class, own))
	if len(events) != 4 {
		t.Fatalf("%d objects of 4 can be read, with %s and %s", len(events), class, own)
	}
	set := resources.NewSet(gatewayapi.Indexes()...)
	tr := newTranslator(set)
	tr.Touched(set.Apply(events))
	return tr.Translate(tr.Units()[0])
}

// What a class says and what a Gateway says come together field by field, and
// maps key by key; what is not the Gateway's is not changed by it.
func TestParametersComeTogether(t *testing.T) {
	class := `{gateways: {mayOverride: [service.labels, pods.replicas, pods.strategy]},
		service: {labels: {a: class, b: class}, type: NodePort}, pods: {replicas: 3, priorityClassName: high, strategy: {maxSurge: 2}}}`
	out := translateWith(t, class, `{service: {labels: {b: own}}, pods: {replicas: 4, strategy: {maxUnavailable: 1}}}`)
	i := out.Infrastructure
	switch {
	case i == nil:
		t.Fatalf("refused: %v", out.Reports[0])
	case i.Service.Labels["a"] != "class" || i.Service.Labels["b"] != "own" || *i.Service.Type != "NodePort":
		t.Errorf("the service is %+v", i.Service)
	case *i.Pods.Replicas != 4 || *i.Pods.PriorityClassName != "high":
		t.Errorf("the pods are %+v", i.Pods)
	case i.Pods.Strategy.MaxSurge.IntVal != 2 || i.Pods.Strategy.MaxUnavailable.IntVal != 1:
		t.Errorf("the strategy is %+v", i.Pods.Strategy)
	}
}

// A range of addresses that nothing enforces lets everybody in.
func TestSourceRangesNeedALoadBalancer(t *testing.T) {
	class := `{gateways: {mayOverride: [service.type]}, service: {loadBalancerSourceRanges: [192.0.2.0/24]}}`
	if out := translateWith(t, class, `{}`); out.Proxy == nil {
		t.Error("source ranges are refused with the type that has them")
	}
	if out := translateWith(t, class, `{service: {type: NodePort}}`); out.Proxy != nil {
		t.Error("a Gateway has rid itself of its class's source ranges")
	}
	if out := translateWith(t, `{service: {type: NodePort, loadBalancerSourceRanges: [192.0.2.0/24]}}`, `{}`); out.Proxy != nil {
		t.Error("source ranges are taken that nothing enforces")
	}
}
