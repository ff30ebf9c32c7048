package gatewayapi_test

import (
	"strings"
	"testing"
)

// Each value that no cluster could take is refused, by a message that names the
// field and says what would be right.
func TestBadValuesOfServiceAndPods(t *testing.T) {
	for _, c := range []struct{ field, value, want string }{
		{"gateways.mayOverride", `[pods.hostNetwork]`, "spec.gateways.mayOverride[0]: \"pods.hostNetwork\" is no field that can be left to Gateways"},
		{"service.type", `ExternalName`, "spec.service.type: \"ExternalName\" is unknown; it is one of"},
		{"service.externalTrafficPolicy", `Here`, "spec.service.externalTrafficPolicy: \"Here\" is unknown"},
		{"service.loadBalancerClass", `"a b"`, "spec.service.loadBalancerClass: \"a b\" is no name"},
		{"service.loadBalancerSourceRanges", `[192.0.2.1]`, "spec.service.loadBalancerSourceRanges[0]: \"192.0.2.1\" is no range"},
		{"service.loadBalancerSourceRanges", `["192.0.2.0/33"]`, "is no range"},
		{"service.nodePorts", `[{port: 0, nodePort: 30000}]`, "spec.service.nodePorts[0].port: 0 is out of range"},
		{"service.nodePorts", `[{port: 80, nodePort: 70000}]`, "spec.service.nodePorts[0].nodePort: 70000 is out of range"},
		{"service.nodePorts", `[{port: 80, nodePort: 30000}, {port: 81, nodePort: 30000}]`, "each to be named once"},
		{"service.ipFamilyPolicy", `Both`, "spec.service.ipFamilyPolicy: \"Both\" is unknown"},
		{"service.ipFamilies", `[IPv5]`, "spec.service.ipFamilies[0]: \"IPv5\" is unknown or repeated"},
		{"service.ipFamilies", `[IPv4, IPv4]`, "spec.service.ipFamilies[1]: \"IPv4\" is unknown or repeated"},
		{"service.annotations", `{sluice.dev/made-from: a}`, "spec.service.annotations: sluice.dev/made-from is Sluice's own"},
		{"service.annotations", `{"a b": a}`, "is no key of an annotation"},
		{"service.labels", `{app.kubernetes.io/managed-by: me}`, "spec.service.labels: app.kubernetes.io/managed-by is Sluice's own"},
		{"service.labels", `{a: "b c"}`, "is no value of a label (a)"},
		{"service.labels", `{a: "` + strings.Repeat("b", 64) + `"}`, "is no value of a label (a)"},
		{"service.labels", `{"": b}`, "is no key of a label"},
		{"service.addressAnnotation", `sluice.dev/made-from`, "spec.service.addressAnnotation"},
		{"service.addressAnnotation", `""`, "spec.service.addressAnnotation"},
		{"pods.replicas", `-1`, "spec.pods.replicas: -1 is out of range; it is 0 to 1000"},
		{"pods.resources", `{claims: [{name: gpu}]}`, "spec.pods.resources.claims"},
		{"pods.resources", `{requests: {cpu: "-1"}}`, "spec.pods.resources.requests"},
		{"pods.resources", `{requests: {cpu: 2}, limits: {cpu: 1}}`, "cpu is 2, more than its limit of 1"},
		{"pods.nodeSelector", `{"a b": c}`, "spec.pods.nodeSelector"},
		{"pods.priorityClassName", `A_B`, "spec.pods.priorityClassName: \"A_B\" is no name"},
		{"pods.annotations", `{x.sluice.dev/a: b}`, "is Sluice's own"},
		{"pods.labels", `{sluice.dev/unit: a}`, "spec.pods.labels: sluice.dev/unit is Sluice's own"},
		{"pods.image", `"a b"`, "spec.pods.image: \"a b\" is no reference"},
		{"pods.image", `"--privileged"`, "is no reference"},
		{"pods.imagePullPolicy", `Sometimes`, "spec.pods.imagePullPolicy: \"Sometimes\" is unknown"},
		{"pods.imagePullSecrets", `[{name: A_B}]`, "spec.pods.imagePullSecrets[0].name"},
		{"pods.disruptionBudget", `{maxUnavailable: -1}`, "spec.pods.disruptionBudget.maxUnavailable: \"-1\" is no number"},
		{"pods.disruptionBudget", `{maxUnavailable: "101%"}`, "spec.pods.disruptionBudget.maxUnavailable: \"101%\""},
		{"pods.strategy", `{maxSurge: many}`, "spec.pods.strategy.maxSurge: \"many\" is no number"},
		{"pods.strategy", `{maxSurge: 0}`, "no pod could ever be replaced"},
		{"pods.strategy", `{maxSurge: "0%", maxUnavailable: 0}`, "no pod could ever be replaced"},
	} {
		out := translateWith(t, `{gateways: {mayOverride: []}}`, own(c.field, c.value))
		if out.Proxy != nil || !says(out.Reports, c.want) {
			t.Errorf("%s: %s: nothing says %q", c.field, c.value, c.want)
		}
	}
}
