package wire

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/canonical"
	"github.com/sluice-gateway/sluice/ir/hash"
)

func sums(text string) []hash.Sum {
	var list []hash.Sum
	for i := range len(text) {
		list = append(list, hash.Sum{text[i]})
	}
	return list
}

// TestSplicesLeadThere: whatever the two lists, the edits make one of the other.
func TestSplicesLeadThere(t *testing.T) {
	same := func(s hash.Sum) (hash.Sum, error) { return s, nil }
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // A test that repeats.
	for range 5000 {
		from, to := make([]byte, r.IntN(12)), make([]byte, r.IntN(12))
		for _, list := range [][]byte{from, to} {
			for i := range list {
				list[i] = "abcd"[r.IntN(4)]
			}
		}
		a, b := sums(string(from)), sums(string(to))
		got, err := Splices(a, Diff(a, b), same)
		if err != nil || !slices.Equal(got, b) {
			t.Fatalf("%s to %s: %v, %v", from, to, got, err)
		}
	}
}

// TestSplicesAreFew: what changes here and there in place is no change of what is
// between.
func TestSplicesAreFew(t *testing.T) {
	for _, c := range []struct {
		from, to string
		inserts  int
	}{
		{"abcdefgh", "aXcdefYh", 2}, {"abcdefgh", "abcdefgh", 0}, {"abcdefgh", "abcXdefgh", 1}, {"abcdefgh", "abdefgh", 0}, {"", "abc", 3},
	} {
		n := 0
		for _, s := range Diff(sums(c.from), sums(c.to)) {
			n += len(s.Insert)
		}
		if n != c.inserts {
			t.Errorf("%s to %s: %d sums are sent, want %d", c.from, c.to, n, c.inserts)
		}
	}
}

// TestNothingPrints: neither keys nor parts are seen, however they are printed.
func TestNothingPrints(t *testing.T) {
	const secret = "very-private"
	part := &ir.Certificate{PrivateKey: secret}
	p := WritePart(Certificates, hash.Of(part), part)
	if !strings.Contains(string(p.Form), secret) {
		t.Fatal("a certificate travels without its key")
	}
	for _, v := range []any{
		p, &p, Parts{Parts: []Part{p}}, &Parts{Parts: []Part{p}}, Push{SessionKey: secret}, &Push{SessionKey: secret}, Frame(secret), part,
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
			text := fmt.Sprintf(verb, v)
			if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) || strings.Contains(text, "118 101 114 121") || strings.Contains(text, "0x76, 0x65") {
				t.Errorf("%T prints with %s as %s", v, verb, text)
			}
		}
	}
}

// TestEveryMessageComesBack: what is written is read as it was.
func TestEveryMessageComesBack(t *testing.T) {
	for _, m := range []any{
		&Hello{Unit: ir.Object{Kind: "Gateway", Name: "g"}, Features: []string{"a"}, Holds: Manifest{Version: "v", Lists: [][]hash.Sum{sums("ab")}}},
		&Welcome{Term: 3, Zone: "z"}, &Parts{Parts: []Part{{Kind: Routes, Sum: hash.Sum{1}, Form: []byte("x")}}},
		&Push{Seq: 1, SessionKey: "k", Edits: []Edit{{Kind: Routes, Splices: []Splice{{At: 1, Insert: sums("a")}}}}},
		&State{Answered: 1, Problems: []ir.Problem{{Message: "m"}}}, &Notice{Text: "t"}, &Beat{},
	} {
		frame, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Decode(frame); err != nil || !reflect.DeepEqual(back, m) {
			t.Errorf("%T comes back as %+v, %v", m, back, err)
		}
	}
}

// TestBounds: what is too large is refused on both sides.
func TestBounds(t *testing.T) {
	if _, err := Encode(&Notice{Text: strings.Repeat("x", MaxFrame)}); err == nil {
		t.Error("a message over the bound is written")
	}
	if _, err := Decode(make([]byte, MaxFrame+1)); err == nil {
		t.Error("a frame over the bound is read")
	}
	form := make([]byte, MaxPart+1)
	if _, err := ReadPart(&Part{Kind: Routes, Sum: hash.OfForm(form), Form: form}); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("a part over the bound: %v", err)
	}
	m := Manifest{Lists: make([][]hash.Sum, Kinds)}
	m.Lists[Rest], m.Lists[Routes] = sums("a"), make([]hash.Sum, MaxParts)
	if m.Check() == nil {
		t.Error("a manifest over the bound is taken")
	}
}

// FuzzFrame: no frame panics, and what is read can be written.
func FuzzFrame(f *testing.F) {
	for _, m := range []any{&Hello{Pod: "p"}, &Welcome{Term: 1}, &Parts{Parts: []Part{{Form: []byte("x")}}}, &Push{Edits: []Edit{{Splices: []Splice{{At: 1}}}}}, &State{}, &Notice{}, &Beat{}} {
		frame, err := Encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, err := Decode(frame)
		if err != nil {
			return
		}
		if _, err := Encode(m); err != nil {
			t.Fatal(err)
		}
		if push, ok := m.(*Push); ok {
			for _, e := range push.Edits {
				_, _ = Splices(sums("abcdef"), e.Splices, func(s hash.Sum) (hash.Sum, error) { return s, nil })
			}
		}
	})
}

// FuzzPart: no part panics, and what it is read as has its sum, or is another
// way to write the same.
func FuzzPart(f *testing.F) {
	route := &ir.Route{Origin: ir.Object{Name: "r"}, Rules: []*ir.Rule{{Refused: "x"}}}
	f.Add(uint8(Routes), canonical.Append(nil, route))
	f.Add(uint8(Rest), canonical.Append(nil, &ir.Proxy{}))
	f.Fuzz(func(t *testing.T, kind uint8, form []byte) {
		part, err := ReadPart(&Part{Kind: Kind(kind), Sum: hash.OfForm(form), Form: form})
		_ = OriginOf(part, ir.Object{})
		if err != nil {
			return
		}
		p := WritePart(Kind(kind), hash.Sum{}, part)
		p.Sum = hash.OfForm(p.Form)
		if _, err := ReadPart(&p); err != nil {
			t.Fatal(err)
		}
	})
}
