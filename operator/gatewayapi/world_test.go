package gatewayapi_test

import (
	"bytes"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/gatewayapi"
	"github.com/sluice-gateway/sluice/operator/resources"
)

const controller = "sluice.dev/go"

func ptr[T any](v T) *T { return &v }

func newTranslator(set *resources.Set) *gatewayapi.Translator {
	return gatewayapi.New(set, gatewayapi.Options{Controllers: controllers})
}

var controllers = map[gatewayv1.GatewayController]feature.Set{controller: feature.All()}

// event is an object's arrival.
func event(obj resources.Object) resources.Event {
	return resources.Event{Key: keyOf(obj), Object: obj}
}

// keyOf names an object by its Go type, which is its kind's name.
func keyOf(obj resources.Object) resources.Key {
	return resources.Key{
		Kind:      resources.Kind(reflect.TypeOf(obj).Elem().Name()),
		Namespace: obj.GetNamespace(),
		Name:      obj.GetName(),
	}
}

// kinds make an empty object of each kind that is read.
var kinds = map[string]func() resources.Object{
	"GatewayClass":      func() resources.Object { return &gatewayv1.GatewayClass{} },
	"Gateway":           func() resources.Object { return &gatewayv1.Gateway{} },
	"ListenerSet":       func() resources.Object { return &gatewayv1.ListenerSet{} },
	"HTTPRoute":         func() resources.Object { return &gatewayv1.HTTPRoute{} },
	"GRPCRoute":         func() resources.Object { return &gatewayv1.GRPCRoute{} },
	"TLSRoute":          func() resources.Object { return &gatewayv1.TLSRoute{} },
	"TCPRoute":          func() resources.Object { return &gatewayv1.TCPRoute{} },
	"UDPRoute":          func() resources.Object { return &gatewayv1.UDPRoute{} },
	"ReferenceGrant":    func() resources.Object { return &gatewayv1.ReferenceGrant{} },
	"BackendTLSPolicy":  func() resources.Object { return &gatewayv1.BackendTLSPolicy{} },
	"GatewayParameters": func() resources.Object { return &v1alpha1.GatewayParameters{} },
	"Namespace":         func() resources.Object { return &corev1.Namespace{} },
	"Service":           func() resources.Object { return &corev1.Service{} },
	"EndpointSlice":     func() resources.Object { return &discoveryv1.EndpointSlice{} },
	"Secret":            func() resources.Object { return &corev1.Secret{} },
	"ConfigMap":         func() resources.Object { return &corev1.ConfigMap{} },
}

// decode reads YAML documents; what cannot be read is left out.
func decode(text []byte) []resources.Event {
	var events []resources.Event
	for doc := range bytes.SplitSeq(text, []byte("\n---")) {
		var meta metav1.TypeMeta
		if yaml.Unmarshal(doc, &meta) != nil || kinds[meta.Kind] == nil {
			continue
		}
		obj := kinds[meta.Kind]()
		if yaml.Unmarshal(doc, obj) == nil {
			events = append(events, event(obj))
		}
	}
	return events
}
