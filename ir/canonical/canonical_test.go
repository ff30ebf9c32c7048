package canonical_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/canonical"
)

var update = flag.Bool("update", false, "write the golden file anew")

// fill sets every field of a value, lists with two elements.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(int64(*n), 5).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.String:
		v.SetString(fmt.Sprintf("text \xff\x00 %d", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8, reflect.Uint16, reflect.Uint64:
		v.SetUint(uint64(*n % 256)) //nolint:gosec // It is small.
	default:
		v.SetInt(int64(-*n))
	}
}

// TestBackAsItWas: every field of every part comes back, secrets and bytes that
// are no UTF-8 included.
func TestBackAsItWas(t *testing.T) {
	n := 0
	for _, into := range []any{&ir.Unit{}, &ir.Proxy{}} {
		v := reflect.ValueOf(into)
		fill(v.Elem(), &n)
		form := canonical.Append(nil, into)
		back := reflect.New(v.Type())
		if err := canonical.Decode(form, back.Interface()); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(back.Elem().Interface(), into) {
			t.Errorf("a %T comes back as another", into)
		}
	}
}

type (
	older struct{ Name, Port string }
	newer struct{ Name, Later, Port string }
)

// TestUnknownFieldsAreNamed: a field that says something is an error that names
// it, one that says nothing is none.
func TestUnknownFieldsAreNamed(t *testing.T) {
	var into older
	if err := canonical.Decode(canonical.Append(nil, newer{Name: "n", Port: "p"}), &into); err != nil || into.Port != "p" {
		t.Errorf("an empty field of a newer version: %v", err)
	}
	into = older{}
	err := canonical.Decode(canonical.Append(nil, newer{Name: "n", Later: "x"}), &into)
	var unknown *canonical.UnknownFieldError
	if !errors.As(err, &unknown) || unknown.Field != "Later" || into.Name != "n" {
		t.Errorf("a field of a newer version: %v", err)
	}
}

// TestBadForms: whatever is not whole is refused, and asks for no memory.
func TestBadForms(t *testing.T) {
	type list struct{ All []*older }
	good := canonical.Append(nil, list{All: []*older{{Name: "n", Port: "p"}}})
	for i := range good {
		if err := canonical.Decode(good[:i], &list{}); err == nil {
			t.Errorf("the first %d bytes of %d are taken", i, len(good))
		}
	}
	for name, form := range map[string][]byte{
		"something behind it":   append(bytes.Clone(good), 0),
		"an absent element":     {3, 'A', 'l', 'l', 1, 0, 0},
		"a list of a long past": {3, 'A', 'l', 'l', 0xff, 0xff, 0xff, 0xff, 0x7f, 0},
		"fields out of order":   {3, 'A', 'l', 'l', 0, 3, 'A', 'l', 'l', 0, 0},
		"a pointer of 2":        {3, 'A', 'l', 'l', 1, 2, 0, 0},
	} {
		if err := canonical.Decode(form, &list{}); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	type small struct{ N uint8 }
	if err := canonical.Decode([]byte{1, 'N', 0x80, 0x02, 0}, &small{}); err == nil {
		t.Error("256 fits a byte")
	}
}

const golden = "testdata/fields.txt"

// TestFieldsKeepTheirTypes: forms do not say of which type a value is, so a field
// that changes its type would be misread by programs of before. New lines are
// harmless: write them with -update. Where a line goes or changes, give the field
// another name, or raise the wire's version.
func TestFieldsKeepTheirTypes(t *testing.T) {
	lines := map[string]bool{}
	describe(reflect.TypeFor[ir.Unit](), lines, map[reflect.Type]bool{})
	var now []string
	for line := range lines {
		now = append(now, line)
	}
	slices.Sort(now)
	if *update {
		if err := os.WriteFile(golden, []byte(strings.Join(now, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	was := strings.Fields(strings.ReplaceAll(string(before), " ", "\x00"))
	for _, line := range was {
		if line = strings.ReplaceAll(line, "\x00", " "); !lines[line] {
			t.Errorf("the field %q is gone or has another type", line)
		}
	}
	if len(was) < len(now) {
		t.Errorf("%d fields are new: write them down with -update", len(now)-len(was))
	}
}

// describe lists the fields of a type and of those below it, by their kinds.
func describe(t reflect.Type, lines map[string]bool, seen map[reflect.Type]bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() || seen[t] {
		return
	}
	seen[t] = true
	for i := range t.NumField() {
		f := t.Field(i)
		lines[t.Name()+"."+f.Name+" "+formOf(f.Type)] = true
		describe(f.Type, lines, seen)
	}
}

func formOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + formOf(t.Elem())
	case reflect.Slice:
		return "[]" + formOf(t.Elem())
	case reflect.Struct:
		return t.Name()
	}
	return t.Kind().String()
}

// TestMemoryIsBounded: a form that says little in many bytes takes no more memory
// than one that says much.
func TestMemoryIsBounded(t *testing.T) {
	const n = 1 << 20
	form := append([]byte{1}, append(binary.AppendUvarint(nil, uint64(len("Backends"))), "Backends"...)...)
	form = append(binary.AppendUvarint(form, n), bytes.Repeat([]byte{1, 0}, n)...)
	var into *ir.Proxy
	if err := canonical.Decode(append(form, 0), &into); err == nil || !strings.Contains(err.Error(), "memory") {
		t.Errorf("%d backends of two bytes each are taken: %v", n, err)
	}
}

// FuzzDecode: no input panics, and what is taken is written as it was read or
// shorter: a field that says nothing is left out.
func FuzzDecode(f *testing.F) {
	n := 0
	u := &ir.Unit{}
	fill(reflect.ValueOf(u).Elem(), &n)
	f.Add(canonical.Append(nil, u))
	f.Add(canonical.Append(nil, &ir.Unit{Proxy: &ir.Proxy{}}))
	f.Fuzz(func(t *testing.T, form []byte) {
		var first, second *ir.Unit
		if canonical.Decode(form, &first) != nil {
			return
		}
		again := canonical.Append(nil, first)
		if err := canonical.Decode(again, &second); err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
		if !bytes.Equal(canonical.Append(nil, second), again) {
			t.Fatal("the second form is another one")
		}
	})
}
