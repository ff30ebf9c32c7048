package gatewayapi

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// endpointsAnnotation says for one Service where requests for it go.
const endpointsAnnotation = "sluice.dev/endpoints"

// serviceID names one port of a Service.
type serviceID struct {
	key  resources.Key
	port uint16
}

// service is one port of a Service, resolved once for all routes that use it.
type service struct {
	pending bool
	// missing is why there is no such port; missingField is the part of a
	// reference that is to blame.
	missing, missingField string
	// broken is why the Service cannot be used as it is written.
	broken      string
	appProtocol string
	transport   corev1.Protocol
	// mode is set where the Service has its own.
	mode v1alpha1.EndpointsMode
	// external is the DNS name of an ExternalName Service; forbidden are the
	// classes of the addresses that it resolves to, where none may be used.
	external, forbidden string
	// tls is nil where no policy targets the port.
	tls      *ir.BackendTLS
	verdicts []verdict
}

func (t *Translator) serviceOf(view *resources.View, id serviceID) *service {
	return t.services.Within(view, id, func(v *resources.View) *service { return t.service(v, id) })
}

func (t *Translator) service(view *resources.View, id serviceID) *service {
	object, state := resources.Get[*corev1.Service](view, id.key)
	switch state {
	case resources.Pending:
		return &service{pending: true}
	case resources.Absent:
		s := &service{missing: fmt.Sprintf("%v does not exist; create it, or correct the name", id.key), missingField: ".name"}
		_, s.verdicts = t.policiesFor(view, target{key: id.key})
		return s
	}
	s := &service{}
	if object.Spec.Type == corev1.ServiceTypeExternalName {
		s.external = strings.TrimSuffix(strings.ToLower(object.Spec.ExternalName), ".")
		s.broken = badExternalName(id.key, s.external)
		s.forbidden = forbiddenAnswer(view, s.external)
	}
	port := servicePort(object, id.port)
	if port == nil && s.external == "" {
		s.missing, s.missingField = fmt.Sprintf("%v has no port %d; %s", id.key, id.port, portsOf(object)), ".port"
		return s
	}
	if port == nil {
		port = &corev1.ServicePort{Port: int32(id.port)}
	}
	s.appProtocol, s.transport = orDefault(port.AppProtocol, ""), port.Protocol
	s.readMode(id.key, object.Annotations[endpointsAnnotation])
	s.tls, s.verdicts = t.policiesFor(view, target{key: id.key, exists: true, port: port.Name, ports: portNames(object)})
	return s
}

func (s *service) readMode(key resources.Key, mode string) {
	switch v1alpha1.EndpointsMode(mode) {
	case "", v1alpha1.EndpointsPods, v1alpha1.EndpointsClusterIP:
		s.mode = v1alpha1.EndpointsMode(mode)
	default:
		s.broken = fmt.Sprintf("annotation %s of %v is %q; use Pods or ClusterIP", endpointsAnnotation, key, mode)
	}
}

func servicePort(object *corev1.Service, number uint16) *corev1.ServicePort {
	for i := range object.Spec.Ports {
		if object.Spec.Ports[i].Port == int32(number) {
			return &object.Spec.Ports[i]
		}
	}
	return nil
}

func portsOf(object *corev1.Service) string {
	if len(object.Spec.Ports) == 0 {
		return "it has none; add it to the Service"
	}
	var numbers []string
	for i := range object.Spec.Ports {
		numbers = append(numbers, fmt.Sprint(object.Spec.Ports[i].Port))
	}
	return "it has " + strings.Join(numbers, ", ")
}

func portNames(object *corev1.Service) []string {
	var names []string
	for i := range object.Spec.Ports {
		names = append(names, object.Spec.Ports[i].Name)
	}
	return names
}

// badExternalName refuses what is no DNS name of another host. What the name
// resolves to is checked too, when it has.
func badExternalName(key resources.Key, name string) string {
	if !validHostname(name) || name[0] == '*' || name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return fmt.Sprintf("externalName %q of %v is no DNS name of another host; correct it", name, key)
	}
	return ""
}
