package detour

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

func TestLabels(t *testing.T) {
	h := exchange.Header{
		{Name: "a", Value: "1"}, {Name: "Sluice-Detour-To", Value: "detour_x|HTTPRoute/a/b/0|2"},
		{Name: translator.DetourClient, Value: "2001:db8::1:443"}, {Name: "sluice-detour", Value: "not one"},
	}
	l := peel(&h)
	if len(h) != 2 || len(l) != 2 {
		t.Fatalf("%v is left, %v was taken off", h, l)
	}
	if got := l.client().String(); got != "[2001:db8::1]:443" {
		t.Errorf("the client is %s", got)
	}
	for value, want := range map[string][2]string{
		"s|r|2": {"s", "/a"}, "s|r|0": {"s", "/"}, "s|r|": {"s", ""}, "s|r|9": {"s", ""}, "s|r|-1": {"s", ""}, "s": {"s", ""}, "": {"", ""},
	} {
		l := labels{{Name: translator.DetourTo, Value: value}}
		if name, prefix := l.section("/a/b"); name != want[0] || prefix != want[1] {
			t.Errorf("%q is %q, %q", value, name, prefix)
		}
	}
}

// FuzzLabels has anything in the place of what HAProxy says.
func FuzzLabels(f *testing.F) {
	f.Add("sluice-detour-to", "detour_x|HTTPRoute/a/b/0|1", "/a")
	f.Add("sluice-detour-client", "127.0.0.1:80", "/")
	f.Fuzz(func(t *testing.T, name, value, path string) {
		h := exchange.Header{{Name: name, Value: value}}
		l := peel(&h)
		if len(h)+len(l) != 1 {
			t.Fatalf("%v and %v of one field", h, l)
		}
		l = append(l, exchange.Field{Name: translator.DetourTo, Value: value}, exchange.Field{Name: translator.DetourClient, Value: value})
		if _, prefix := l.section(path); !strings.HasPrefix(path, prefix) && prefix != "/" {
			t.Errorf("%q is no prefix of %q", prefix, path)
		}
		_, _, _ = l.client(), l.peer(), l.rule()
	})
}
