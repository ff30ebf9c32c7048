package editing

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		edit ir.HeaderEdit
		says string
	}{
		{ir.HeaderEdit{Set: []ir.Header{{Name: "X-A", Value: "b\tc \xff"}}, Remove: []string{"Server"}}, ""},
		{ir.HeaderEdit{Set: []ir.Header{{Name: "x a"}}}, "set: \"x a\" is not a header name"},
		{ir.HeaderEdit{Add: []ir.Header{{Name: "", Value: "b"}}}, "add: \"\" is not a header name"},
		{ir.HeaderEdit{Add: []ir.Header{{Name: "x", Value: "a\r\nb: c"}}}, "add: the value of \"x\" holds control characters"},
		{ir.HeaderEdit{Set: []ir.Header{{Name: "Transfer-Encoding", Value: "chunked"}}}, "belongs to the connection"},
		{ir.HeaderEdit{Remove: []string{"hOsT"}}, "remove: \"hOsT\" belongs to the connection"},
	} {
		err := Check(&c.edit)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, want %q", c.edit, err, c.says)
		}
	}
}

func TestValidHost(t *testing.T) {
	for host, want := range map[string]bool{
		"a.example": true, "127.0.0.1": true, "[::1]": true, "a_b": true,
		"": false, "a/b": false, "a:1": false, "a@b": false, "[::1": false, "[::1%25eth0]": false, "[127.0.0.1]": false, "a\n": false,
	} {
		if got := ValidHost(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

func TestPath(t *testing.T) {
	full, prefix, none, bad := "x/../y", "/v2/", "", "/%zz"
	for _, c := range []struct {
		edit                 *ir.PathEdit
		path, matched, wants string
	}{
		{&ir.PathEdit{Full: &full}, "/a/b", "/a", "/y"},
		{&ir.PathEdit{Prefix: &prefix}, "/a/b", "/a", "/v2/b"},
		{&ir.PathEdit{Prefix: &prefix}, "/a", "/a", "/v2"},
		{&ir.PathEdit{Prefix: &prefix}, "/b", "/a", "/b"},
		{&ir.PathEdit{Prefix: &none}, "/a", "/a", "/"},
		{&ir.PathEdit{Prefix: &none}, "/a/b", "/a", "/b"},
		{&ir.PathEdit{Prefix: &none}, "/a/b", "", "/a/b"},
	} {
		read, err := ReadPath(c.edit)
		if err != nil {
			t.Fatal(err)
		}
		if got := read.Apply(c.path, c.matched); got != c.wants {
			t.Errorf("%+v of %q: %q, want %q", read, c.path, got, c.wants)
		}
	}
	if _, err := ReadPath(&ir.PathEdit{Full: &bad}); err == nil {
		t.Error("a path that is none is taken")
	}
	if _, err := ReadPath(&ir.PathEdit{}); err == nil {
		t.Error("an edit of nothing is taken")
	}
}

func TestOrder(t *testing.T) {
	got := Order([]ir.Filter{{Redirect: &ir.Redirect{}}, {CORS: &ir.CORS{}}, {Rewrite: &ir.Rewrite{}}, {CORS: &ir.CORS{}}})
	if want := []int{1, 3, 0, 2}; !slices.Equal(got, want) {
		t.Errorf("have %v, want %v", got, want)
	}
}

func TestOriginOfARedirect(t *testing.T) {
	for _, c := range []struct {
		to      ir.Redirect
		scheme  string
		reached uint16
		want    string
	}{
		{ir.Redirect{}, "http", 80, "http"},
		{ir.Redirect{}, "http", 8080, "http:8080"},
		{ir.Redirect{}, "https", 443, "https"},
		{ir.Redirect{}, "http", 443, "http:443"},
		{ir.Redirect{Scheme: "https"}, "http", 8080, "https"},
		{ir.Redirect{Scheme: "https", Port: 80}, "http", 8080, "https:80"},
		{ir.Redirect{Port: 80}, "http", 8080, "http"},
		{ir.Redirect{Port: 81}, "https", 443, "https:81"},
	} {
		to, err := ReadRedirect(&c.to)
		if err != nil || to.Status != 302 {
			t.Fatal(to, err)
		}
		if scheme, port := to.Origin(c.scheme, c.reached); scheme+port != c.want {
			t.Errorf("%+v from %s at %d: %s%s, want %s", c.to, c.scheme, c.reached, scheme, port, c.want)
		}
	}
}

func TestOrigins(t *testing.T) {
	for text, want := range map[string]Origin{
		"https://A.example": {"https", "a.example", "443"}, "http://*": {"http", "*", "80"}, "http://*.a:8080": {"http", "*.a", "8080"},
		"http://[::1]": {"http", "[::1]", "80"},
	} {
		if got, ok := ReadOrigin(text); !ok || got != want {
			t.Errorf("%q: have %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "null", "a.example", "ftp://a", "http://", "http://a:", "http://a:0", "http://a/b", "http://a.*"} {
		if got, ok := ReadOrigin(text); ok {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}
