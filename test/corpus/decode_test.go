package corpus

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source/dir/schema"
)

// decoder makes an object of one YAML document.
type decoder func(document []byte) (resources.Event, error)

// admitted checks and defaults objects as an API server would, so that a case
// cannot prove a rule with what could never be stored. Unchecked does neither:
// a front end must cope with anything.
var admitted, unchecked = orDefinition(admitter()), orDefinition(typed())

func (decode decoder) read(text []byte) ([]resources.Event, error) {
	var events []resources.Event
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return nil, err
		}
		var fields map[string]any
		if err := yaml.Unmarshal(document, &fields); err != nil {
			return nil, err
		}
		if len(fields) == 0 {
			continue
		}
		event, err := decode(document)
		if err != nil {
			return nil, err
		}
		if event.Object.GetGeneration() == 0 {
			event.Object.SetGeneration(1)
		}
		events = append(events, event)
	}
}

// orDefinition reads a CRD as a cluster's facts hold it: no catalogue judges it.
func orDefinition(decode decoder) decoder {
	return func(document []byte) (resources.Event, error) {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if yaml.Unmarshal(document, crd) != nil || crd.Kind != string(resources.CRD) {
			return decode(document)
		}
		crd.TypeMeta = metav1.TypeMeta{}
		return resources.Event{Key: resources.Key{Kind: resources.CRD, Name: crd.Name}, Object: crd}, nil
	}
}

func admitter() decoder {
	catalog := schema.NewCatalog()
	return func(document []byte) (resources.Event, error) {
		text, err := yaml.YAMLToJSONStrict(document)
		if err != nil {
			return resources.Event{}, err
		}
		// Numbers without a fraction must stay integers for the rules.
		var fields map[string]any
		if err := utiljson.Unmarshal(text, &fields); err != nil {
			return resources.Event{}, err
		}
		r := catalog.Admit(fields)
		if len(r.Faults) > 0 {
			return resources.Event{}, fmt.Errorf("an API server would refuse %v: %v", r.Key, r.Faults)
		}
		if r.Skipped {
			return resources.Event{}, fmt.Errorf("%v is of a kind that is not read", r.Key)
		}
		return resources.Event{Key: r.Key, Object: r.Object}, nil
	}
}

func typed() decoder {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{gatewayv1.Install, corev1.AddToScheme, discoveryv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	codec := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	return func(document []byte) (resources.Event, error) {
		obj, gvk, err := codec.Decode(document, nil, nil)
		if err != nil {
			return resources.Event{}, err
		}
		o, ok := obj.(resources.Object)
		if !ok {
			return resources.Event{}, fmt.Errorf("%s is no object", gvk.Kind)
		}
		key := resources.Key{Kind: resources.Kind(gvk.Kind), Namespace: o.GetNamespace(), Name: o.GetName()}
		return resources.Event{Key: key, Object: o}, nil
	}
}
