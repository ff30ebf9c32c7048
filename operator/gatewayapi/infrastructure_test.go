package gatewayapi_test

import (
	"slices"
	"testing"

	"github.com/sluice-gateway/sluice/operator/gatewayapi"
	"github.com/sluice-gateway/sluice/operator/resources"
)

const withoutACertificate = `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: sluice}
spec: {controllerName: sluice.dev/go}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {namespace: infra, name: edge}
spec:
  gatewayClassName: sluice
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: none}]}}
  - {name: udp, port: 443, protocol: UDP}
  - {name: strange, port: 99, protocol: example.com/strange}
`

// A listener that cannot be served for the moment keeps its port: a load balancer
// or a firewall may know the node's port that leads there, and would get another one.
func TestPortsStay(t *testing.T) {
	set := resources.NewSet(gatewayapi.Indexes()...)
	tr := newTranslator(set)
	tr.Touched(set.Apply(decode([]byte(withoutACertificate))))
	out := tr.Translate(tr.Units()[0])
	if out.Proxy == nil || len(out.Proxy.Listeners) != 2 {
		t.Fatalf("the unit is %+v", out.Proxy)
	}
	want := []gatewayapi.Port{{Number: 80}, {Number: 443}, {Number: 443, UDP: true}}
	if got := out.Infrastructure.Ports; !slices.Equal(got, want) {
		t.Errorf("the ports are %v, want %v", got, want)
	}
}
