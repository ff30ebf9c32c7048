package envoy

import (
	"encoding/json"
	"slices"

	"github.com/cncf/xds/go/udpa/annotations"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sluice-gateway/sluice/ir"
)

const redacted = "[redacted]"

// configView is how a configuration is written down, for people and for golden
// files: resources by kind and name, in Envoy's own JSON, without secrets.
type configView struct {
	Owner     ir.Object `json:"owner"`
	Listeners []any     `json:"listeners,omitempty"`
	Routes    []any     `json:"routes,omitempty"`
	Clusters  []any     `json:"clusters,omitempty"`
	Endpoints []any     `json:"endpoints,omitempty"`
	Secrets   []any     `json:"secrets,omitempty"`
	Filters   []any     `json:"filters,omitempty"`
	Runtimes  []any     `json:"runtimes,omitempty"`
}

var _ json.Marshaler = (*Config)(nil)

// MarshalJSON writes the configuration without secrets, always in the same way.
func (c *Config) MarshalJSON() ([]byte, error) {
	view := configView{Owner: c.unit.Proxy.Owner}
	for _, kind := range []struct {
		to   *[]any
		from []*Resource
	}{
		{&view.Listeners, c.Listeners},
		{&view.Routes, c.Routes},
		{&view.Clusters, c.Clusters},
		{&view.Endpoints, c.Endpoints},
		{&view.Secrets, c.Secrets},
		{&view.Filters, c.Filters},
		{&view.Runtimes, slices.DeleteFunc(slices.Clone(c.Runtimes), saysNothing)},
	} {
		for _, r := range kind.from {
			tree, err := viewMessage(r.Message)
			if err != nil {
				return nil, err
			}
			*kind.to = append(*kind.to, tree)
		}
	}
	return json.Marshal(view)
}

// viewMessage returns a message as a tree without secrets. Its text goes through
// a tree because protojson's spaces differ from build to build, on purpose.
func viewMessage(m proto.Message) (any, error) {
	m = proto.Clone(m)
	if err := redact(m.ProtoReflect()); err != nil {
		return nil, err
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	var tree any
	err = json.Unmarshal(text, &tree)
	return tree, err
}

// redact replaces what Envoy's definitions call sensitive, at any depth, inside
// packed messages too.
func redact(m protoreflect.Message) error {
	if packed, ok := m.Interface().(*anypb.Any); ok {
		return redactPacked(packed)
	}
	abridge(m)
	var failed error
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if sensitive(f) {
			hide(m, f)
			return true
		}
		failed = redactField(f, v)
		return failed == nil
	})
	return failed
}

func redactPacked(packed *anypb.Any) error {
	inner, err := packed.UnmarshalNew()
	if err != nil {
		return err
	}
	if err := redact(inner.ProtoReflect()); err != nil {
		return err
	}
	return packed.MarshalFrom(inner)
}

func redactField(f protoreflect.FieldDescriptor, v protoreflect.Value) error {
	var failed error
	switch {
	case f.IsMap():
		if f.MapValue().Message() != nil {
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				failed = redact(v.Message())
				return failed == nil
			})
		}
	case f.Message() == nil:
	case f.IsList():
		for i := range v.List().Len() {
			if failed = redact(v.List().Get(i).Message()); failed != nil {
				return failed
			}
		}
	default:
		failed = redact(v.Message())
	}
	return failed
}

func sensitive(f protoreflect.FieldDescriptor) bool {
	options, ok := f.Options().(*descriptorpb.FieldOptions)
	is, _ := proto.GetExtension(options, annotations.E_Sensitive).(bool)
	return ok && is
}

// hide says that there is a secret, and nothing of it. What has no place for
// these words is left out.
func hide(m protoreflect.Message, f protoreflect.FieldDescriptor) {
	source := (&corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: redacted}}).ProtoReflect()
	switch {
	case f.IsList() || f.IsMap():
		m.Clear(f)
	case f.Kind() == protoreflect.StringKind:
		m.Set(f, protoreflect.ValueOfString(redacted))
	case f.Kind() == protoreflect.BytesKind:
		m.Set(f, protoreflect.ValueOfBytes([]byte(redacted)))
	case f.Message() != nil && f.Message().FullName() == source.Descriptor().FullName():
		m.Set(f, protoreflect.ValueOfMessage(source))
	default:
		m.Clear(f)
	}
}
