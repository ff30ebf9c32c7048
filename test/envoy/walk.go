package envoy

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// walk visits a message and all that are in it, at any depth. Packed ones are
// unpacked, and packed again with what the visits changed.
func walk(m proto.Message, visit func(proto.Message) error) error {
	if packed, ok := m.(*anypb.Any); ok {
		inner, err := packed.UnmarshalNew()
		if err != nil {
			return err
		}
		return errors.Join(walk(inner, visit), packed.MarshalFrom(inner))
	}
	err := visit(m)
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		for _, inner := range messages(f, v) {
			err = errors.Join(err, walk(inner, visit))
		}
		return true
	})
	return err
}

// messages returns those that a field holds.
func messages(f protoreflect.FieldDescriptor, v protoreflect.Value) []proto.Message {
	var all []proto.Message
	switch {
	case f.IsMap():
		if f.MapValue().Message() != nil {
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				all = append(all, v.Message().Interface())
				return true
			})
		}
	case f.Message() == nil:
	case f.IsList():
		for i := range v.List().Len() {
			all = append(all, v.List().Get(i).Message().Interface())
		}
	default:
		all = append(all, v.Message().Interface())
	}
	return all
}

// Check holds a message, and every message in it at any depth, those that are
// packed into an Any too, to the rules that their definitions state. Envoy checks
// the same when it reads them; the code that the definitions make does not look
// into an Any by itself.
func Check(m proto.Message) error {
	return walk(proto.Clone(m), func(m proto.Message) error {
		ruled, ok := m.(interface{ ValidateAll() error })
		if !ok {
			return nil
		}
		if err := ruled.ValidateAll(); err != nil {
			return fmt.Errorf("%s: %w", m.ProtoReflect().Descriptor().FullName(), err)
		}
		return nil
	})
}
