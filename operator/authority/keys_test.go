package authority

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

const host = "sluice-operator.sluice-system.svc"

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// renew returns the keys as they are to be at a moment, through their written
// form.
func renew(t *testing.T, k *keys, now time.Time) *keys {
	t.Helper()
	next, _, err := k.renewed(now)
	if err != nil {
		t.Fatal(err)
	}
	text, err := next.write()
	if err != nil {
		t.Fatal(err)
	}
	back, err := read(text)
	if err != nil {
		t.Fatal(err)
	}
	return back
}

// believes says whether a pod that has read a bundle takes the server's
// certificate of a moment.
func believes(t *testing.T, bundle []byte, k *keys, now time.Time) bool {
	t.Helper()
	leaf, err := k.signs(now).server(host, now)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	_, err = leaf.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: now})
	return err == nil
}

// TestNobodyIsLeftBehind: over five years of weekly checks, a pod that read its
// bundle a day ago is never turned away.
func TestNobodyIsLeftBehind(t *testing.T) {
	k := renew(t, &keys{}, start)
	bundle := k.bundle()
	for day := range 5 * 365 {
		now := start.Add(time.Duration(day) * 24 * time.Hour)
		next := renew(t, k, now)
		if !believes(t, bundle, next, now) {
			t.Fatalf("day %d: a bundle of the day before is of no use", day)
		}
		k, bundle = next, next.bundle()
		if n := len(k.Authorities); n > 2 {
			t.Fatalf("day %d: %d authorities are kept", day, n)
		}
	}
}

func TestSessionKeysOutliveAuthorities(t *testing.T) {
	k := renew(t, &keys{}, start)
	later := renew(t, k, start.Add(caLife-time.Hour))
	owner := ir.Object{Kind: "Gateway", Namespace: "team", Name: "a-b"}
	a, _ := k.session(owner)
	b, _ := later.session(owner)
	other, _ := k.session(ir.Object{Kind: "Gateway", Namespace: "team-a", Name: "b"})
	if a == "" || a != b || a == other {
		t.Errorf("keys of one unit are equal: %v, of two units: %v", a == b, a == other)
	}
	if text := fmt.Sprint(a); text != "[redacted]" {
		t.Errorf("a session key prints as %q", text)
	}
}

func TestKeysThatAreNotOurs(t *testing.T) {
	good, err := renew(t, &keys{}, start).write()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing":       "",
		"no JSON":       "x",
		"empty":         "{}",
		"unknown field": `{"more":1,` + string(good[1:]),
		"cut off":       string(good[:len(good)/2]),
		"no root":       strings.Replace(string(good), `"sessions":"`, `"sessions":"AAAA`, 1),
		"another key":   strings.Replace(string(good), "PRIVATE KEY-----\\nM", "PRIVATE KEY-----\\nN", 1),
	} {
		if _, err := read([]byte(text)); err == nil {
			t.Errorf("%s: taken", name)
		} else if strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}
