package provision

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// service is nil without ports, as the API server takes none without.
func service(in *Input) *corev1.Service {
	if len(in.Ports) == 0 {
		return nil
	}
	svc := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: in.meta(unitName(in.Owner)),
		Spec: corev1.ServiceSpec{
			Type:           serviceType(in),
			Selector:       workloadSelector(in),
			Ports:          servicePorts(in),
			IPFamilyPolicy: in.Service.IPFamilyPolicy,
			IPFamilies:     in.Service.IPFamilies,
		},
	}
	svc.Labels = in.labels(in.Service.Labels)
	svc.Annotations = in.serviceAnnotations()
	in.fromOutside(&svc.Spec)
	return svc
}

func serviceType(in *Input) corev1.ServiceType {
	return orDefault(in.Service.Type, corev1.ServiceTypeLoadBalancer)
}

func orDefault[T any](value *T, fallback T) T {
	if value == nil {
		return fallback
	}
	return *value
}

// fromOutside fills in what only some types have: the API server refuses it with
// the others.
func (in *Input) fromOutside(spec *corev1.ServiceSpec) {
	if spec.Type == corev1.ServiceTypeClusterIP {
		return
	}
	spec.ExternalTrafficPolicy = orDefault(in.Service.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyCluster)
	if spec.Type == corev1.ServiceTypeLoadBalancer {
		spec.LoadBalancerClass = in.Service.LoadBalancerClass
		spec.LoadBalancerSourceRanges = in.Service.LoadBalancerSourceRanges
		spec.AllocateLoadBalancerNodePorts = in.Service.AllocateLoadBalancerNodePorts
	}
}

// servicePorts are named by transport and number, so that a listener that comes
// or goes renames none. They have no appProtocol: some clouds turn it into a
// health check of the root path, which a Gateway need not have.
func servicePorts(in *Input) []corev1.ServicePort {
	var ports []corev1.ServicePort
	for _, p := range in.Ports {
		ports = append(ports, corev1.ServicePort{
			Name:       fmt.Sprintf("%s-%d", strings.ToLower(string(p.Protocol)), p.Number),
			Protocol:   p.Protocol,
			Port:       int32(p.Number),
			TargetPort: intstr.FromInt32(int32(p.Number)),
			NodePort:   in.nodePort(p),
		})
	}
	return ports
}

// nodePort is the one that is fixed for a port; 0 leaves it to the cluster.
func (in *Input) nodePort(p Port) int32 {
	if serviceType(in) == corev1.ServiceTypeClusterIP {
		return 0
	}
	for _, n := range in.Service.NodePorts {
		if n.Port == int32(p.Number) {
			return n.NodePort
		}
	}
	return 0
}

// serviceAnnotations ask the load balancer for static addresses too. The key of
// that annotation is the platform's: whoever owns the Gateway asks by its
// spec.addresses.
func (in *Input) serviceAnnotations() map[string]string {
	made := in.annotations(in.Service.Annotations)
	key := orDefault(in.Service.AddressAnnotation, "")
	if key == "" {
		return made
	}
	delete(made, key)
	asked := staticIPs(in.Addresses)
	if len(asked) == 0 || serviceType(in) != corev1.ServiceTypeLoadBalancer {
		return made
	}
	if made == nil {
		made = map[string]string{}
	}
	made[key] = strings.Join(asked, ",")
	return made
}

// staticIPs are the IP addresses that are asked for by value.
func staticIPs(asked []gatewayv1.GatewaySpecAddress) []string {
	var values []string
	for _, a := range asked {
		if orDefault(a.Type, gatewayv1.IPAddressType) == gatewayv1.IPAddressType && a.Value != "" {
			values = append(values, a.Value)
		}
	}
	return values
}
