package h2

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/net/http2/hpack"
)

// TestEncoder has x/net's decoder read what our encoder writes.
func TestEncoder(t *testing.T) {
	e := newEncoder()
	r := rand.New(rand.NewPCG(1, 2))
	var got []hpack.HeaderField
	d := hpack.NewDecoder(tableSize, func(f hpack.HeaderField) { got = append(got, f) })
	for block := range 3000 {
		if block%500 == 250 {
			e.setLimit(uint32(r.IntN(5000)))
			e.setLimit(uint32(r.IntN(5000)))
		}
		got = got[:0]
		var want []hpack.HeaderField
		dst := e.begin(nil)
		for range r.IntN(20) {
			f := hpack.HeaderField{
				Name:  fmt.Sprintf("X-Name%d", r.IntN(40)),
				Value: strings.Repeat(fmt.Sprint(r.IntN(5)), r.IntN(60)),
			}
			if n := r.IntN(80); n < len(staticTable) && n > 0 {
				f.Name, f.Value = staticTable[n].name, []string{f.Value, staticTable[n].value}[r.IntN(2)]
			}
			// The strings that a caller hands in change afterwards.
			name, value := []byte(f.Name), []byte(f.Value)
			dst = e.field(dst, inTest(name), inTest(value))
			clear(name)
			clear(value)
			f.Name = strings.ToLower(f.Name)
			want = append(want, f)
		}
		if _, err := d.Write(dst); err != nil {
			t.Fatalf("block %d: %v", block, err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if i >= len(got) || got[i].Name != want[i].Name || got[i].Value != want[i].Value {
				t.Fatalf("block %d: got %v, want %v", block, got, want)
			}
		}
	}
}

func TestSecretsAreNeverIndexed(t *testing.T) {
	e := newEncoder()
	for range 3 {
		for _, name := range []string{"Cookie", "set-cookie", "authorization"} {
			if b := e.field(nil, name, "secret-of-somebody"); b[0]&0xf0 != 0x10 {
				t.Errorf("%s begins with %#x", name, b[0])
			}
		}
	}
	if len(e.ring) > 0 {
		t.Errorf("the table has %v", e.ring)
	}
}

func BenchmarkEncoder(b *testing.B) {
	e := newEncoder()
	fields := [][2]string{
		{":status", "200"}, {"Server", "backend"}, {"Date", "Fri, 20 Nov 2026 10:00:00 GMT"}, {"Content-Type", "text/plain"},
		{"Content-Length", "13"}, {"Cache-Control", "no-store"}, {"Vary", "Accept-Encoding"}, {"ETag", "\"abc\""},
		{"X-Frame-Options", "DENY"}, {"X-Content-Type-Options", "nosniff"},
		{"Strict-Transport-Security", "max-age=63072000"}, {"Referrer-Policy", "no-referrer"},
	}
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		dst = e.begin(dst[:0])
		for _, f := range fields {
			dst = e.field(dst, f[0], f[1])
		}
	}
}

// inTest returns a string over b, as the codec of HTTP/1.1 hands them out.
func inTest(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
