package goproxy_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestHTTP3BoundsTrailers has trailers that are longer than may be, or more.
func TestHTTP3BoundsTrailers(t *testing.T) {
	r := newH3Rig(t)
	r.unit.Proxy.Settings.Limits.RequestHeaderCount = 20
	r.reflecting("a", "a.example")
	r.must()
	many := []string{}
	for i := range 21 {
		many = append(many, fmt.Sprintf("x-%d", i), "1")
	}
	for name, c := range map[string]struct {
		trailer []string
		want    int
	}{
		"as many as may be": {many[:40], 200},
		"one too many":      {many, 400},
		"long ones":         {[]string{"x-a", strings.Repeat("x", 9<<10)}, 400},
		"a long name":       {[]string{"x-" + strings.Repeat("x", 257), "1"}, 400},
	} {
		conn, err := r.dialQUIC("a.example")
		if err != nil {
			t.Fatal(err)
		}
		request := frame(1, fieldSection(t, posts("/", "trailer", "x-a")...))
		request = append(append(request, frame(0, []byte("12345"))...), frame(1, fieldSection(t, c.trailer...))...)
		if got := ask3(t, conn, request); got.status != c.want {
			t.Errorf("%s: %+v, want %d", name, got, c.want)
		}
	}
}
