package provision

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/ir"
)

func ptr[T any](value T) *T { return &value }

func TestPorts(t *testing.T) {
	proxy := &ir.Proxy{Listeners: []*ir.Listener{
		{Port: 443, Protocol: ir.HTTPS}, {Port: 443, Protocol: ir.TLS}, {Port: 80, Protocol: ir.HTTP}, {Port: 80, Protocol: ir.HTTP},
		{Port: 53, Protocol: ir.UDP}, {Port: 53, Protocol: ir.TCP}, {Port: 8443, Protocol: ir.HTTPS}, {Port: 8443, Protocol: ir.UDP},
	}}
	if got := Ports(proxy); len(got) != 6 {
		t.Errorf("without HTTP/3: %v", got)
	}
	proxy.Settings.HTTP3.Enabled = true
	tcp, udp := corev1.ProtocolTCP, corev1.ProtocolUDP
	want := []Port{{53, tcp}, {53, udp}, {80, tcp}, {443, tcp}, {443, udp}, {8443, tcp}, {8443, udp}}
	if got := Ports(proxy); !slices.Equal(got, want) {
		t.Errorf("with HTTP/3: %v, want %v", got, want)
	}
}

// Names that look alike once they are cut or written anew are different.
func TestNamesDoNotMeet(t *testing.T) {
	long := strings.Repeat("a", 200)
	services, workloads := map[string]Input{}, map[string]Input{}
	for _, in := range []Input{
		{Owner: ir.Object{Kind: "Gateway", Namespace: "team", Name: "a-b"}, Class: "c"},
		{Owner: ir.Object{Kind: "Gateway", Namespace: "team", Name: "a.b"}, Class: "c"},
		{Owner: ir.Object{Kind: "Gateway", Namespace: "team-a", Name: "b"}, Class: "c"},
		{Owner: ir.Object{Kind: "IngressClass", Namespace: "team-a", Name: "b"}, Class: "c"},
		{Owner: ir.Object{Kind: "Gateway", Namespace: "team", Name: long + "1"}, Class: "c"},
		{Owner: ir.Object{Kind: "Gateway", Namespace: "team", Name: long + "2"}, Class: "c"},
	} {
		for _, class := range []string{"c", "c-d", long + "1", long + "2"} {
			in.Class = class
			name := in.Owner.Namespace + "/" + workloadName(&in)
			if other, taken := workloads[name]; taken {
				t.Errorf("%v and %v have the workload %s", in, other, name)
			}
			workloads[name] = in
		}
		name := unitName(in.Owner)
		if other, taken := services[name]; taken {
			t.Errorf("%v and %v have the name %s", in.Owner, other.Owner, name)
		}
		services[name] = in
	}
}

func TestLabelValues(t *testing.T) {
	long := strings.Repeat("a.", 100)
	if got := labelValue("edge"); got != "edge" {
		t.Errorf("a short name is %q", got)
	}
	if a, b := labelValue(long+"a"), labelValue(long+"b"); a == b || len(a) > 63 {
		t.Errorf("two long names are %q and %q", a, b)
	}
}

// content is what is compared, without what an API server fills in.
func TestGapsAndAmendments(t *testing.T) {
	want := content{"a": content{"b": "1", "list": []any{content{"name": "x"}}, "empty": content{}}}
	for _, c := range []struct {
		name string
		have content
		gaps []string
	}{
		{"the same", content{"a": content{"b": "1", "list": []any{content{"name": "x"}}, "empty": content{}}}, nil},
		{"more fields", content{"z": 1, "a": content{"b": "1", "list": []any{content{"name": "x", "more": true}}}}, nil},
		{"another value", content{"a": content{"b": "2", "list": []any{content{"name": "x"}}}}, []string{"a.b"}},
		{"a longer list", content{"a": content{"b": "1", "list": []any{content{"name": "x"}, content{"name": "y"}}}}, []string{"a.list"}},
		{"another item", content{"a": content{"b": "1", "list": []any{content{"name": "y"}}}}, []string{"a.list"}},
		{"nothing", content{}, []string{"a.b", "a.list"}},
	} {
		var got []string
		for _, path := range gaps(want, c.have, nil) {
			got = append(got, strings.Join(path, "."))
		}
		if !slices.Equal(got, c.gaps) {
			t.Errorf("%s: gaps are %v, want %v", c.name, got, c.gaps)
		}
	}
	patch := amendment(want, [][]string{{"a", "b"}, {"a", "guest"}})
	inner := patch["a"].(content)
	if guest, there := inner["guest"]; inner["b"] != "1" || !there || guest != nil {
		t.Errorf("the amendment is %v", patch)
	}
}

func TestForeignFields(t *testing.T) {
	entry := func(manager, subresource, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Subresource: subresource, FieldsV1: metav1.NewFieldsV1(fields)}
	}
	for _, c := range []struct {
		name, kind string
		entry      metav1.ManagedFieldsEntry
		want       []string
	}{
		{"ours", "Deployment", entry(fieldOwner, "", `{"f:spec":{"f:paused":{}}}`), nil},
		{"a status", "Deployment", entry("kcm", "status", `{"f:spec":{"f:paused":{}}}`), nil},
		{"metadata", "Deployment", entry("kcm", "", `{"f:metadata":{"f:annotations":{"f:a":{}}}}`), nil},
		{"a field", "Deployment", entry("kubectl-edit", "", `{"f:spec":{"f:paused":{}}}`), []string{"spec.paused"}},
		{"an item", "Deployment", entry("kubectl-edit", "", `{"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"x\"}":{"f:image":{}}}}}}}`), []string{"spec.template.spec.containers"}},
		{"a restart", "Deployment", entry("kubectl-rollout", "", `{"f:spec":{"f:template":{"f:metadata":{"f:annotations":{".":{},"f:kubectl.kubernetes.io/restartedAt":{}}}}}}`), nil},
		{"a balancer's note", "Service", entry("balancer", "", `{"f:spec":{"f:loadBalancerIP":{}}}`), nil},
		{"a selector", "Service", entry("kubectl-edit", "", `{"f:spec":{"f:selector":{"f:track":{}}}}`), []string{"spec.selector.track"}},
		{"nonsense", "Service", entry("x", "", `nonsense`), nil},
	} {
		var got []string
		for _, path := range foreign(c.kind, []metav1.ManagedFieldsEntry{c.entry}) {
			got = append(got, strings.Join(path, "."))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func node(name string, ready bool, addresses ...corev1.NodeAddress) corev1.Node {
	n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{Addresses: addresses}}
	if ready {
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	}
	return n
}

func inside(ip string) corev1.NodeAddress {
	return corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: ip}
}

func outside(ip string) corev1.NodeAddress {
	return corev1.NodeAddress{Type: corev1.NodeExternalIP, Address: ip}
}

func TestAddressesOfNodes(t *testing.T) {
	local := corev1.ServiceExternalTrafficPolicyLocal
	pod := corev1.Pod{Spec: corev1.PodSpec{NodeName: "c"}, Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}}
	var many []corev1.Node
	for i := range 20 {
		many = append(many, node(string(rune('z'-i)), true, inside("10.0.0."+string(rune('0'+i%10)))))
	}
	plain := []corev1.Node{node("c", true, inside("10.0.0.3")), node("a", true, inside("10.0.0.1")), node("b", false, inside("10.0.0.2"))}
	for _, c := range []struct {
		name   string
		nodes  []corev1.Node
		policy corev1.ServiceExternalTrafficPolicy
		asked  string
		want   string
	}{
		{"by name, ready alone", plain, "", "", "10.0.0.1 10.0.0.3"},
		{"from outside, where any has one", append(slices.Clone(plain), node("d", true, inside("10.0.0.4"), outside("192.0.2.4"))), "", "", "192.0.2.4"},
		{"with pods alone", plain, local, "", "10.0.0.3"},
		{"asked for", plain, "", "10.0.0.3", "10.0.0.3"},
		{"asked for, and not ready", plain, "", "10.0.0.2", ""},
	} {
		in := &Input{Service: v1alpha1.ServiceParameters{Type: ptr(corev1.ServiceTypeNodePort)}}
		if c.asked != "" {
			in.Addresses = []gatewayv1.GatewaySpecAddress{{Value: c.asked}}
		}
		r := reach{in: in, nodes: c.nodes, pods: []corev1.Pod{pod}, service: &corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, ExternalTrafficPolicy: c.policy}}}
		var got []string
		for _, a := range r.addresses() {
			got = append(got, a.Value)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
	r := reach{in: &Input{}, nodes: many, service: &corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort}}}
	if n := len(r.addresses()); n > 16 {
		t.Errorf("%d addresses, and a status takes 16", n)
	}
}

func TestLackOfAddresses(t *testing.T) {
	ip, name := gatewayv1.IPAddressType, gatewayv1.HostnameAddressType
	given := []corev1.LoadBalancerIngress{{IP: "192.0.2.7"}}
	for _, c := range []struct {
		name    string
		asked   []gatewayv1.GatewaySpecAddress
		key     string
		kind    corev1.ServiceType
		ingress []corev1.LoadBalancerIngress
		reason  string
		words   string
	}{
		{"none yet", nil, "", "", nil, "AddressNotAssigned", "is there a load balancer controller?"},
		{"any", []gatewayv1.GatewaySpecAddress{{Type: &ip}}, "", "", given, "", ""},
		{"the one asked for", []gatewayv1.GatewaySpecAddress{{Value: "192.0.2.7"}}, "k", "", given, "", ""},
		{"another one", []gatewayv1.GatewaySpecAddress{{Value: "192.0.2.8"}}, "k", "", given, "AddressNotUsable", "asks for 192.0.2.8, which the load balancer has not given"},
		{"one of two", []gatewayv1.GatewaySpecAddress{{Value: "192.0.2.7"}, {Value: "192.0.2.8"}}, "k", "", given, "AddressNotUsable", "asks for 192.0.2.8, which"},
		{"written otherwise", []gatewayv1.GatewaySpecAddress{{Value: "2001:DB8:0::7"}}, "k", "", []corev1.LoadBalancerIngress{{IP: "2001:db8::7"}}, "", ""},
		{"no way to ask", []gatewayv1.GatewaySpecAddress{{Value: "192.0.2.8"}}, "", "", given, "AddressNotUsable", "set service.addressAnnotation"},
		{"a name by value", []gatewayv1.GatewaySpecAddress{{Type: &name, Value: "a.example"}}, "k", "", given, "AddressNotUsable", "no load balancer can be asked for a name"},
		{"any name, and an IP", []gatewayv1.GatewaySpecAddress{{Type: &name}}, "", "", given, "AddressNotAssigned", "asks for a hostname"},
		{"any name", []gatewayv1.GatewaySpecAddress{{Type: &name}}, "", "", []corev1.LoadBalancerIngress{{Hostname: "lb.example"}}, "", ""},
		{"by the cluster", []gatewayv1.GatewaySpecAddress{{Value: "10.0.0.1"}}, "", corev1.ServiceTypeClusterIP, nil, "AddressNotUsable", "type ClusterIP"},
		{"of a node", []gatewayv1.GatewaySpecAddress{{Value: "10.0.0.1"}}, "", corev1.ServiceTypeNodePort, nil, "AddressNotUsable", "which no ready node has"},
	} {
		kind := c.kind
		if kind == "" {
			kind = corev1.ServiceTypeLoadBalancer
		}
		in := &Input{Addresses: c.asked, Ports: []Port{{80, corev1.ProtocolTCP}}, Service: v1alpha1.ServiceParameters{Type: &kind, AddressAnnotation: &c.key}}
		in.Owner.Name = "edge"
		svc := &corev1.Service{Spec: corev1.ServiceSpec{Type: kind}}
		svc.Status.LoadBalancer.Ingress = c.ingress
		r := reach{in: in, service: svc}
		got := r.lack(r.addresses())
		if got == nil {
			got = &dataplanes.Lack{}
		}
		if got.Reason != c.reason || !strings.Contains(got.Message, c.words) {
			t.Errorf("%s: %+v, want %s %q", c.name, got, c.reason, c.words)
		}
	}
}

func TestNodePortsAreSaid(t *testing.T) {
	svc := &corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Ports: []corev1.ServicePort{
		{Port: 80, Protocol: corev1.ProtocolTCP, NodePort: 30080},
		{Port: 443, Protocol: corev1.ProtocolTCP, NodePort: 30443}, {Port: 443, Protocol: corev1.ProtocolUDP, NodePort: 30444},
	}}}
	got := (&reach{in: &Input{}, service: svc}).ports()
	if got[80] != "node port 30080" || got[443] != "node ports 30443 (TCP) and 30444 (UDP)" {
		t.Errorf("%v", got)
	}
}

func TestWhyPodsDoNotCome(t *testing.T) {
	waiting := func(reason, message string) corev1.PodStatus {
		return corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Image: "x", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}}}
	}
	saying := func(log string) corev1.PodStatus {
		status := waiting("CrashLoopBackOff", "back-off")
		status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{Message: log}
		return status
	}
	for _, c := range []struct {
		status corev1.PodStatus
		reason string
		words  string
	}{
		{waiting("ImagePullBackOff", "no such image"), "NoResources", "(image x): ImagePullBackOff: no such image"},
		{waiting("CrashLoopBackOff", ""), "NoResources", "(image x): CrashLoopBackOff"},
		{saying("at /private\nsluice-proxy: no Envoy"), "NoResources", "CrashLoopBackOff: back-off; sluice-proxy: no Envoy"},
		{saying("sluice-proxy: \xff" + strings.Repeat("x", 5000)), "NoResources", "; sluice-proxy: x"},
		{waiting("ContainerCreating", ""), "Pending", "is ready yet"},
		{corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes"}}}, "NoResources", "cannot be scheduled: 0/3 nodes"},
		{corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted"}, "NoResources", "has failed: Evicted"},
	} {
		j := &job{pods: []corev1.Pod{{Status: c.status}}}
		j.in.Owner.Name = "edge"
		got := podsLack(j, nil)
		if got.Reason != c.reason || !strings.Contains(got.Message, c.words) {
			t.Errorf("%+v, want %s %q", got, c.reason, c.words)
		}
		if strings.Contains(got.Message, "/private") || len(got.Message) > 2048 {
			t.Errorf("it has more of a log than our program's last words: %s", got.Message)
		}
	}
	for _, log := range []string{"", "somebody else's last line", "sluice-proxy: it began\nGET /private"} {
		j := &job{pods: []corev1.Pod{{Status: saying(log)}}}
		j.in.Owner.Name = "edge"
		if got := podsLack(j, nil); !strings.HasSuffix(got.Message, "CrashLoopBackOff: back-off") {
			t.Errorf("%q: %s", log, got.Message)
		}
	}
	j := &job{in: Input{Owner: ir.Object{Name: "edge"}, Pods: v1alpha1.PodParameters{Replicas: ptr[int32](0)}}}
	if got := podsLack(j, nil); got == nil || !strings.Contains(got.Message, "pods.replicas") {
		t.Errorf("no replicas: %+v", got)
	}
}

// TestAPodThatDoesNotComeUpBesideOthers: clients are served, so nothing is lacking,
// but somebody should look at it.
func TestAPodThatDoesNotComeUpBesideOthers(t *testing.T) {
	serves := corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}}
	stuck := corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/3 nodes"},
	}}}
	stuck.Name = "edge-2"
	for _, c := range []struct {
		pods []corev1.Pod
		want string
	}{
		{[]corev1.Pod{serves, stuck}, "pod edge-2 cannot be scheduled: 0/3 nodes"},
		{[]corev1.Pod{serves}, ""},
		{[]corev1.Pod{stuck}, ""},
	} {
		j := &job{pods: c.pods, in: Input{Owner: ir.Object{Name: "edge"}}}
		state, err := (&Provisioner{}).state(t.Context(), j, nil)
		if err != nil || state.Remark != c.want {
			t.Errorf("%d pods: %q, %v, want %q", len(c.pods), state.Remark, err, c.want)
		}
		if state.trouble() == "" {
			t.Errorf("%d pods: nothing is told, though there is no address", len(c.pods))
		}
	}
}
