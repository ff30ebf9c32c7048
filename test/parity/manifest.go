package parity

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// The annotations that the suite makes objects from.
const (
	backendAnnotation     = "parity.sluice.dev/backend"
	certificateAnnotation = "parity.sluice.dev/certificate"
	caAnnotation          = "parity.sluice.dev/ca"
)

// object is one document of a manifest.
type object map[string]any

// parse splits a manifest into its documents.
func parse(text string) ([]object, error) {
	reader := utilyaml.NewYAMLReader(newBuffered(text))
	var objects []object
	for {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		var o object
		if err := yaml.UnmarshalStrict(doc, &o); err != nil {
			return nil, err
		}
		if len(o) > 0 {
			objects = append(objects, o)
		}
	}
}

// render writes documents as one manifest.
func render(objects []object) ([]byte, error) {
	var out bytes.Buffer
	for _, o := range objects {
		doc, err := yaml.Marshal(o)
		if err != nil {
			return nil, err
		}
		out.WriteString("---\n")
		out.Write(doc)
	}
	return out.Bytes(), nil
}

func (o object) text(path ...string) string {
	var at any = map[string]any(o)
	for _, key := range path {
		fields, ok := at.(map[string]any)
		if !ok {
			return ""
		}
		at = fields[key]
	}
	text, _ := at.(string)
	return text
}

func (o object) kind() string { return o.text("kind") }
func (o object) name() string { return o.text("metadata", "name") }

// namespace is "default" where it is left out, as the directory source has it.
func (o object) namespace() string {
	if ns := o.text("metadata", "namespace"); ns != "" {
		return ns
	}
	switch o.kind() {
	case "GatewayClass", "Namespace":
		return ""
	}
	return "default"
}

// id is "Kind namespace/name", or "Kind name" for what has no namespace.
func (o object) id() string { return objectID(o.kind(), o.namespace(), o.name()) }

func objectID(kind, namespace, name string) string {
	if namespace == "" {
		return kind + " " + name
	}
	return kind + " " + namespace + "/" + name
}

// takeAnnotation removes an annotation and decodes its value.
func (o object) takeAnnotation(name string, into any) (bool, error) {
	metadata, _ := o["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	value, ok := annotations[name].(string)
	if !ok {
		return false, nil
	}
	delete(annotations, name)
	if err := yaml.UnmarshalStrict([]byte(value), into); err != nil {
		return false, fmt.Errorf("%s: annotation %s: %w", o.id(), name, err)
	}
	return true, nil
}

// servicePorts returns the ports of a Service, as fields.
func (o object) servicePorts() []map[string]any {
	spec, _ := o["spec"].(map[string]any)
	ports, _ := spec["ports"].([]any)
	var all []map[string]any
	for _, p := range ports {
		fields, _ := p.(map[string]any)
		all = append(all, fields)
	}
	return all
}

// endpointSlice is one endpoint of a Service, at one port for every port that
// the Service has.
func endpointSlice(service object, index, port int) object {
	var ports []any
	for _, of := range service.servicePorts() {
		name, _ := of["name"].(string)
		protocol, _ := of["protocol"].(string)
		ports = append(ports, map[string]any{"name": name, "port": port, "protocol": or(protocol, "TCP")})
	}
	return object{
		"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
		"metadata": map[string]any{
			"name":      fmt.Sprintf("%s-%d", service.name(), index),
			"namespace": service.namespace(),
			"labels":    map[string]any{"kubernetes.io/service-name": service.name()},
		},
		"addressType": "IPv4",
		"endpoints": []any{map[string]any{
			"addresses":  []any{"127.0.0.1"},
			"conditions": map[string]any{"ready": true},
		}},
		"ports": ports,
	}
}

// drain marks the endpoint of a slice as terminating.
func (o object) drain() {
	endpoint := o["endpoints"].([]any)[0].(map[string]any)
	endpoint["conditions"] = map[string]any{"ready": false, "serving": true, "terminating": true}
}

// hint says for which zone the endpoint of a slice is meant.
func (o object) hint(zone string) {
	endpoint := o["endpoints"].([]any)[0].(map[string]any)
	endpoint["hints"] = map[string]any{"forZones": []any{map[string]any{"name": zone}}}
}

func className(controller string, class object) object {
	if class == nil {
		class = object{
			"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
			"metadata": map[string]any{"name": "sluice"},
		}
	}
	spec, _ := class["spec"].(map[string]any)
	if spec == nil {
		spec = map[string]any{}
	}
	if spec["controllerName"] == nil {
		spec["controllerName"] = controller
	}
	class["spec"] = spec
	return class
}

// qualify puts the default namespace before a name that has none.
func qualify(name string) string {
	if name == "" || strings.Contains(name, "/") {
		return name
	}
	return "default/" + name
}

// yamlOf writes a value as YAML.
func yamlOf(value any) (string, error) {
	text, err := yaml.Marshal(value)
	return string(text), err
}
