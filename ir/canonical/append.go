package canonical

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"sort"
	"sync"
	"time"
)

// Append appends a value's form. nil and empty lists are the same, as they are
// where a value is written down.
func Append(b []byte, value any) []byte {
	v := reflect.ValueOf(value)
	return planOf(v.Type())(b, v)
}

// plan appends the canonical form of a value. Every form says how long it is, so
// that no two values share one.
type plan func([]byte, reflect.Value) []byte

// plans are made once a type.
var plans sync.Map

func planOf(t reflect.Type) plan {
	if p, ok := plans.Load(t); ok {
		return p.(plan)
	}
	p := makePlan(t)
	plans.Store(t, p)
	return p
}

func makePlan(t reflect.Type) plan {
	if t == reflect.TypeFor[time.Time]() {
		return appendTime
	}
	switch t.Kind() {
	case reflect.String:
		return appendString
	case reflect.Bool:
		return appendBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(b []byte, v reflect.Value) []byte { return binary.AppendVarint(b, v.Int()) }
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return func(b []byte, v reflect.Value) []byte { return binary.AppendUvarint(b, v.Uint()) }
	case reflect.Float64, reflect.Float32:
		return func(b []byte, v reflect.Value) []byte {
			return binary.BigEndian.AppendUint64(b, math.Float64bits(v.Float()))
		}
	case reflect.Pointer:
		return pointerPlan(t)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return appendBytes
		}
		return slicePlan(t)
	case reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return appendArray
		}
	case reflect.Map:
		return mapPlan(t)
	case reflect.Struct:
		return structPlan(t)
	}
	panic(fmt.Sprintf("canonical: a %v has no form", t))
}

func appendString(b []byte, v reflect.Value) []byte {
	b = binary.AppendUvarint(b, uint64(v.Len()))
	return append(b, v.String()...)
}

func appendBytes(b []byte, v reflect.Value) []byte {
	b = binary.AppendUvarint(b, uint64(v.Len()))
	return append(b, v.Bytes()...)
}

// appendArray writes bytes of a fixed number, which need no length.
func appendArray(b []byte, v reflect.Value) []byte {
	for i := range v.Len() {
		b = append(b, byte(v.Index(i).Uint()))
	}
	return b
}

func appendBool(b []byte, v reflect.Value) []byte {
	if v.Bool() {
		return append(b, 1)
	}
	return append(b, 0)
}

// appendTime writes the instant: the zone in which it was written is nobody's
// business.
func appendTime(b []byte, v reflect.Value) []byte {
	at := v.Interface().(time.Time)
	return binary.AppendVarint(binary.AppendVarint(b, at.Unix()), int64(at.Nanosecond()))
}

func pointerPlan(t reflect.Type) plan {
	return func(b []byte, v reflect.Value) []byte {
		if v.IsNil() {
			return append(b, 0)
		}
		return planOf(t.Elem())(append(b, 1), v.Elem())
	}
}

func slicePlan(t reflect.Type) plan {
	return func(b []byte, v reflect.Value) []byte {
		n := v.Len()
		b = binary.AppendUvarint(b, uint64(n))
		if n == 0 {
			return b
		}
		element := planOf(t.Elem())
		for i := range n {
			b = element(b, v.Index(i))
		}
		return b
	}
}

// mapPlan orders entries by the form of their keys.
func mapPlan(t reflect.Type) plan {
	return func(b []byte, v reflect.Value) []byte {
		key, element := planOf(t.Key()), planOf(t.Elem())
		entries := make([]string, 0, v.Len())
		for iter := v.MapRange(); iter.Next(); {
			entries = append(entries, string(element(key(nil, iter.Key()), iter.Value())))
		}
		sort.Strings(entries)
		b = binary.AppendUvarint(b, uint64(len(entries)))
		for _, e := range entries {
			b = append(binary.AppendUvarint(b, uint64(len(e))), e...)
		}
		return b
	}
}

// structPlan writes fields with their names, so that a field that comes, goes or
// moves between versions changes the sum.
func structPlan(t reflect.Type) plan {
	type field struct {
		index int
		name  string
		plan  func() plan
	}
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		// Plans of fields are made when they are used: a type may hold itself.
		fields = append(fields, field{i, f.Name, sync.OnceValue(func() plan { return planOf(f.Type) })})
	}
	return func(b []byte, v reflect.Value) []byte {
		for i := range fields {
			if value := v.Field(fields[i].index); !empty(value) {
				b = append(binary.AppendUvarint(b, uint64(len(fields[i].name))), fields[i].name...)
				b = fields[i].plan()(b, value)
			}
		}
		// A name is never empty, so 0 ends the struct.
		return append(b, 0)
	}
}

// empty reports whether a field says nothing, however it says it.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	case reflect.Struct:
		if at, ok := v.Interface().(time.Time); ok {
			return at.IsZero()
		}
	}
	return v.IsZero()
}
