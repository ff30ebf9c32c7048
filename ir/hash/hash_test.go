package hash_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/hash"
)

func route() *ir.Route {
	path := "/b"
	return &ir.Route{
		Origin:      ir.Object{Kind: "HTTPRoute", Namespace: "a", Name: "b"},
		Kind:        ir.HTTPRoute,
		Created:     time.Unix(1, 0).UTC(),
		Attachments: []ir.Attachment{{Listener: ir.ListenerKey{Section: "http"}, Hostnames: []string{"a.example"}}},
		Rules: []*ir.Rule{{
			Matches:  []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: "/"}}},
			Filters:  []ir.Filter{{Rewrite: &ir.Rewrite{Path: &ir.PathEdit{Full: &path}}}},
			Backends: []ir.BackendUse{{Backend: &ir.BackendKey{Protocol: ir.BackendHTTP1}, Weight: 1}},
		}},
	}
}

func TestEqualPartsHaveEqualSums(t *testing.T) {
	other := route()
	other.Created = other.Created.In(time.FixedZone("elsewhere", 3600))
	other.Rules[0].Backends[0].Filters = []ir.Filter{}
	if hash.Of(route()) != hash.Of(other) {
		t.Error("two routes of equal content have different sums")
	}
}

// Every field counts: change each in turn, however deep it is.
func TestEveryFieldCounts(t *testing.T) {
	parts := []any{&ir.Proxy{}, &ir.Listener{}, &ir.Route{}, &ir.Backend{}, &ir.Certificate{}, &ir.Endpoints{}}
	for _, part := range parts {
		v := reflect.ValueOf(part)
		seen := map[hash.Sum]string{sum(part): "the empty part"}
		fill(v.Elem(), v.Type().String(), func(field string) {
			s := sum(part)
			if was, taken := seen[s]; taken {
				t.Errorf("%s: a change of it has the sum of %s", field, was)
			}
			seen[s] = field
		})
	}
}

func sum(part any) hash.Sum {
	switch p := part.(type) {
	case *ir.Proxy:
		return hash.Of(p)
	case *ir.Listener:
		return hash.Of(p)
	case *ir.Route:
		return hash.Of(p)
	case *ir.Backend:
		return hash.Of(p)
	case *ir.Certificate:
		return hash.Of(p)
	case *ir.Endpoints:
		return hash.Of(p)
	}
	panic("no part")
}

// fill sets each field to something in turn, and leaves it so.
func fill(v reflect.Value, path string, changed func(string)) {
	switch v.Kind() {
	case reflect.Struct:
		if _, isTime := v.Interface().(time.Time); isTime {
			v.Set(reflect.ValueOf(time.Unix(5, 0)))
			changed(path)
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), path+"."+v.Type().Field(i).Name, changed)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		changed(path)
		fill(v.Elem(), path, changed)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		changed(path)
		fill(v.Index(0), path+"[0]", changed)
	case reflect.String:
		v.SetString(path)
		changed(path)
	case reflect.Bool:
		v.SetBool(true)
		changed(path)
	case reflect.Uint16:
		v.SetUint(7)
		changed(path)
	default:
		v.SetInt(7)
		changed(path)
	}
}

func TestSecretsCountAndDoNotShow(t *testing.T) {
	a, b := &ir.Certificate{PrivateKey: "one"}, &ir.Certificate{PrivateKey: "two"}
	if hash.Of(a) == hash.Of(b) {
		t.Error("two keys have the same sum")
	}
}

func BenchmarkRoute(b *testing.B) {
	r := route()
	b.ReportAllocs()
	for b.Loop() {
		hash.Of(r)
	}
}
