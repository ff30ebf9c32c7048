package canonical

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"sync"
	"time"
)

// UnknownFieldError is a field that says something the reader has no place for.
type UnknownFieldError struct {
	// Type is the struct's name, Field the field's, as a path from what was read.
	Type, Field string
}

func (e *UnknownFieldError) Error() string {
	return fmt.Sprintf("unknown field %q of %s", e.Field, e.Type)
}

var (
	errShort    = errors.New("it ends too early")
	errRange    = errors.New("a number is out of range")
	errAbsent   = errors.New("an element of a list is absent")
	errTrailing = errors.New("something follows its end")
	errFlag     = errors.New("a flag is neither 0 nor 1")
	errExpands  = errors.New("it asks for far more memory than its length")
)

// An element of a list may be one byte of a form and a hundred of memory. What is
// written down by someone who means it takes a few times its form, so lists and
// pointers may have so many times that, and a small form whatever it asks for.
const (
	expands = 16
	atLeast = 1 << 20
)

// budget is the memory that lists and pointers may still take, in bytes.
type budget int

func (m *budget) spend(n int, t reflect.Type) error {
	if *m -= budget(n) * budget(t.Size()); *m < 0 {
		return errExpands
	}
	return nil
}

// Decode reads a form into a pointer's value, which should be empty. After an
// error it holds what came before the place that could not be read. The memory
// that it takes is bounded by the length of the form.
func Decode(form []byte, into any) error {
	m := budget(max(atLeast, expands*len(form)))
	rest, err := readerOf(reflect.TypeOf(into).Elem())(form, reflect.ValueOf(into).Elem(), &m)
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
	return err
}

// reader reads a value and returns what follows it.
type reader func([]byte, reflect.Value, *budget) ([]byte, error)

// readers are made once a type.
var readers sync.Map

func readerOf(t reflect.Type) reader {
	if r, ok := readers.Load(t); ok {
		return r.(reader) //nolint:errcheck,forcetypeassert // The map holds nothing else.
	}
	r := makeReader(t)
	readers.Store(t, r)
	return r
}

func makeReader(t reflect.Type) reader {
	if t == reflect.TypeFor[time.Time]() {
		return readTime
	}
	switch t.Kind() {
	case reflect.String:
		return readString
	case reflect.Bool:
		return readBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return readInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return readUint
	case reflect.Float64:
		return readFloat
	case reflect.Pointer:
		return pointerReader(t)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return readBytes
		}
		return sliceReader(t)
	case reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return readArray
		}
	case reflect.Struct:
		return structReader(t)
	}
	panic(fmt.Sprintf("canonical: a %v cannot be read", t))
}

// take splits off as many bytes as a length before them says.
func take(b []byte) (head, rest []byte, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, b, errShort
	}
	end := size + int(n) //nolint:gosec // It is no longer than b.
	return b[size:end], b[end:], nil
}

func readString(b []byte, v reflect.Value, _ *budget) ([]byte, error) {
	text, rest, err := take(b)
	if err == nil {
		v.SetString(string(text))
	}
	return rest, err
}

func readBytes(b []byte, v reflect.Value, _ *budget) ([]byte, error) {
	data, rest, err := take(b)
	if err == nil && len(data) > 0 {
		v.SetBytes(append([]byte(nil), data...))
	}
	return rest, err
}

func readArray(b []byte, v reflect.Value, _ *budget) ([]byte, error) {
	if len(b) < v.Len() {
		return b, errShort
	}
	reflect.Copy(v, reflect.ValueOf(b[:v.Len()]))
	return b[v.Len():], nil
}

func readFlag(b []byte) (set bool, rest []byte, err error) {
	switch {
	case len(b) == 0:
		return false, b, errShort
	case b[0] > 1:
		return false, b, errFlag
	}
	return b[0] == 1, b[1:], nil
}

func readBool(b []byte, v reflect.Value, _ *budget) ([]byte, error) {
	set, rest, err := readFlag(b)
	v.SetBool(set)
	return rest, err
}

func readInt(b []byte, v reflect.Value, _ *budget) ([]byte, error) {
	n, size := binary.Varint(b)
	switch {
	case size <= 0:
		return b, errShort
	case v.OverflowInt(n):
		return b, errRange
	}
	v.SetInt(n)
	return b[size:], nil
}

func readUint(b []byte, v reflect.Value, _ *budget) ([]byte, error) {
	n, size := binary.Uvarint(b)
	switch {
	case size <= 0:
		return b, errShort
	case v.OverflowUint(n):
		return b, errRange
	}
	v.SetUint(n)
	return b[size:], nil
}

func readFloat(b []byte, v reflect.Value, _ *budget) ([]byte, error) {
	const size = 8
	if len(b) < size {
		return b, errShort
	}
	v.SetFloat(math.Float64frombits(binary.BigEndian.Uint64(b)))
	return b[size:], nil
}

func readTime(b []byte, v reflect.Value, _ *budget) ([]byte, error) {
	seconds, n := binary.Varint(b)
	if n <= 0 {
		return b, errShort
	}
	nanos, m := binary.Varint(b[n:])
	switch {
	case m <= 0:
		return b, errShort
	case nanos < 0 || nanos >= int64(time.Second):
		return b, errRange
	}
	v.Set(reflect.ValueOf(time.Unix(seconds, nanos).UTC()))
	return b[n+m:], nil
}

func pointerReader(t reflect.Type) reader {
	return func(b []byte, v reflect.Value, m *budget) ([]byte, error) {
		set, rest, err := readFlag(b)
		if err != nil || !set {
			return rest, err
		}
		if err := m.spend(1, t.Elem()); err != nil {
			return rest, err
		}
		v.Set(reflect.New(t.Elem()))
		return readerOf(t.Elem())(rest, v.Elem(), m)
	}
}

func sliceReader(t reflect.Type) reader {
	return func(b []byte, v reflect.Value, m *budget) ([]byte, error) {
		n, size := binary.Uvarint(b)
		// An element has a byte at least.
		if size <= 0 || n > uint64(len(b)-size) {
			return b, errShort
		}
		b = b[size:]
		if n == 0 {
			return b, nil
		}
		if err := m.spend(int(n), t.Elem()); err != nil { //nolint:gosec // It is no longer than b.
			return b, err
		}
		v.Set(reflect.MakeSlice(t, int(n), int(n))) //nolint:gosec // It is no longer than b.
		element := readerOf(t.Elem())
		for i := range int(n) { //nolint:gosec // As above.
			var err error
			if b, err = element(b, v.Index(i), m); err != nil {
				return b, err
			}
			if t.Elem().Kind() == reflect.Pointer && v.Index(i).IsNil() {
				return b, errAbsent
			}
		}
		return b, nil
	}
}

func structReader(t reflect.Type) reader {
	index := map[string]int{}
	for i := range t.NumField() {
		index[t.Field(i).Name] = i
	}
	return func(b []byte, v reflect.Value, m *budget) ([]byte, error) {
		for last := -1; ; {
			name, rest, err := take(b)
			if err != nil || len(name) == 0 {
				return rest, err
			}
			i, known := index[string(name)]
			switch {
			case !known:
				return b, &UnknownFieldError{Type: t.Name(), Field: string(name)}
			case i <= last:
				return b, fmt.Errorf("field %s of %s is out of its order", name, t.Name())
			}
			last = i
			if b, err = readerOf(t.Field(i).Type)(rest, v.Field(i), m); err != nil {
				return b, within(err, t, string(name))
			}
		}
	}
}

// within says where in a struct something could not be read.
func within(err error, t reflect.Type, field string) error {
	var unknown *UnknownFieldError
	if errors.As(err, &unknown) {
		return err
	}
	return fmt.Errorf("%s.%s: %w", t.Name(), field, err)
}
