package schema

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sluice-gateway/sluice/operator/resources"
)

// SelfSigned is the annotation of a Secret of type kubernetes.io/tls without
// data: a certificate for the names in its value, separated by commas, is made
// on the spot.
const SelfSigned = "sluice.dev/self-signed"

// core defaults and checks an object of a core kind.
func core(obj resources.Object) []Fault {
	switch o := obj.(type) {
	case *corev1.Service:
		defaultService(o)
		return faultsOf(service(o))
	case *corev1.Secret:
		defaultSecret(o)
		return faultsOf(secret(o))
	case *discoveryv1.EndpointSlice:
		defaultSlice(o)
		return faultsOf(endpointSlice(o))
	case *corev1.Namespace:
		NameNamespace(o)
	}
	return nil
}

// NameNamespace gives a Namespace the label that every one has.
func NameNamespace(ns *corev1.Namespace) {
	if ns.Labels == nil {
		ns.Labels = map[string]string{}
	}
	ns.Labels[corev1.LabelMetadataName] = ns.Name
}

func defaultService(s *corev1.Service) {
	if s.Spec.Type == "" {
		s.Spec.Type = corev1.ServiceTypeClusterIP
	}
	for i := range s.Spec.Ports {
		p := &s.Spec.Ports[i]
		if p.Protocol == "" {
			p.Protocol = corev1.ProtocolTCP
		}
		if p.TargetPort == (intstr.IntOrString{}) {
			p.TargetPort = intstr.FromInt32(p.Port)
		}
	}
}

func service(s *corev1.Service) field.ErrorList {
	at := field.NewPath("spec")
	var errs field.ErrorList
	types := []corev1.ServiceType{corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeExternalName}
	if !slices.Contains(types, s.Spec.Type) {
		errs = append(errs, field.NotSupported(at.Child("type"), s.Spec.Type, types))
	}
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		return append(errs, externalName(s.Spec.ExternalName, at.Child("externalName"))...)
	}
	if ip := s.Spec.ClusterIP; ip != "" && ip != corev1.ClusterIPNone {
		errs = append(errs, address(ip, at.Child("clusterIP"), "an IP address, or None")...)
	}
	if len(s.Spec.Ports) == 0 && s.Spec.ClusterIP != corev1.ClusterIPNone {
		errs = append(errs, field.Required(at.Child("ports"), "a Service needs at least one port"))
	}
	return append(errs, servicePorts(s.Spec.Ports, at.Child("ports"))...)
}

func externalName(name string, at *field.Path) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(at, "a Service of type ExternalName needs the DNS name that it stands for")}
	}
	var errs field.ErrorList
	for _, msg := range validation.IsDNS1123Subdomain(trimDot(name)) {
		errs = append(errs, field.Invalid(at, name, msg))
	}
	return errs
}

func trimDot(name string) string {
	if n := len(name); n > 1 && name[n-1] == '.' {
		return name[:n-1]
	}
	return name
}

func servicePorts(ports []corev1.ServicePort, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	names := map[string]bool{}
	type pair struct {
		port     int32
		protocol corev1.Protocol
	}
	numbers := map[pair]bool{}
	for i, p := range ports {
		at := at.Index(i)
		errs = append(errs, portNumber(p.Port, at.Child("port"))...)
		errs = append(errs, protocol(p.Protocol, at.Child("protocol"))...)
		errs = append(errs, targetPort(p.TargetPort, at.Child("targetPort"))...)
		if p.Name == "" && len(ports) > 1 {
			errs = append(errs, field.Required(at.Child("name"), "each port of a Service with several needs a name"))
		} else if names[p.Name] {
			errs = append(errs, field.Duplicate(at.Child("name"), p.Name))
		}
		if numbers[pair{p.Port, p.Protocol}] {
			errs = append(errs, field.Duplicate(at, p.Port))
		}
		names[p.Name], numbers[pair{p.Port, p.Protocol}] = true, true
	}
	return errs
}

func portNumber(port int32, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, msg := range validation.IsValidPortNum(int(port)) {
		errs = append(errs, field.Invalid(at, port, msg))
	}
	return errs
}

func targetPort(port intstr.IntOrString, at *field.Path) field.ErrorList {
	if port.Type == intstr.Int {
		return portNumber(port.IntVal, at)
	}
	var errs field.ErrorList
	for _, msg := range validation.IsValidPortName(port.StrVal) {
		errs = append(errs, field.Invalid(at, port.StrVal, msg))
	}
	return errs
}

func protocol(p corev1.Protocol, at *field.Path) field.ErrorList {
	known := []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP}
	if slices.Contains(known, p) {
		return nil
	}
	return field.ErrorList{field.NotSupported(at, p, known)}
}

func address(ip string, at *field.Path, want string) field.ErrorList {
	if _, err := netip.ParseAddr(ip); err != nil {
		return field.ErrorList{field.Invalid(at, ip, "must be "+want)}
	}
	return nil
}

func defaultSecret(s *corev1.Secret) {
	if s.Type == "" {
		s.Type = corev1.SecretTypeOpaque
	}
	if len(s.StringData) > 0 && s.Data == nil {
		s.Data = map[string][]byte{}
	}
	for k, v := range s.StringData {
		s.Data[k] = []byte(v)
	}
	s.StringData = nil
}

// secret checks what the type of a Secret asks for, and never quotes a value.
func secret(s *corev1.Secret) field.ErrorList {
	if s.Type != corev1.SecretTypeTLS || s.Annotations[SelfSigned] != "" && len(s.Data) == 0 {
		return nil
	}
	var errs field.ErrorList
	for _, key := range []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
		if _, ok := s.Data[key]; !ok {
			errs = append(errs, field.Required(field.NewPath("data").Key(key), "a Secret of type kubernetes.io/tls holds tls.crt and tls.key, or the annotation "+SelfSigned))
		}
	}
	return errs
}

func defaultSlice(s *discoveryv1.EndpointSlice) {
	tcp, unnamed := corev1.ProtocolTCP, ""
	for i := range s.Ports {
		if s.Ports[i].Protocol == nil {
			s.Ports[i].Protocol = &tcp
		}
		if s.Ports[i].Name == nil {
			s.Ports[i].Name = &unnamed
		}
	}
}

// endpointSlice lets loopback addresses pass, which an API server does not:
// what serves for a directory runs on this machine.
func endpointSlice(s *discoveryv1.EndpointSlice) field.ErrorList {
	var errs field.ErrorList
	types := []discoveryv1.AddressType{discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6, discoveryv1.AddressTypeFQDN}
	if s.AddressType == "" {
		errs = append(errs, field.Required(field.NewPath("addressType"), "one of IPv4, IPv6, FQDN"))
	} else if !slices.Contains(types, s.AddressType) {
		errs = append(errs, field.NotSupported(field.NewPath("addressType"), s.AddressType, types))
	}
	for i, p := range s.Ports {
		at := field.NewPath("ports").Index(i)
		if p.Port != nil {
			errs = append(errs, portNumber(*p.Port, at.Child("port"))...)
		}
		errs = append(errs, protocol(*p.Protocol, at.Child("protocol"))...)
	}
	for i, e := range s.Endpoints {
		errs = append(errs, endpoint(e, s.AddressType, field.NewPath("endpoints").Index(i))...)
	}
	return errs
}

func endpoint(e discoveryv1.Endpoint, kind discoveryv1.AddressType, at *field.Path) field.ErrorList {
	at = at.Child("addresses")
	if len(e.Addresses) == 0 {
		return field.ErrorList{field.Required(at, "an endpoint needs at least one address")}
	}
	var errs field.ErrorList
	for i, a := range e.Addresses {
		ip, err := netip.ParseAddr(a)
		switch {
		case kind == discoveryv1.AddressTypeIPv4 && (err != nil || !ip.Is4()):
			errs = append(errs, field.Invalid(at.Index(i), a, "must be an IPv4 address, as addressType says"))
		case kind == discoveryv1.AddressTypeIPv6 && (err != nil || !ip.Is6()):
			errs = append(errs, field.Invalid(at.Index(i), a, "must be an IPv6 address, as addressType says"))
		}
	}
	return errs
}
