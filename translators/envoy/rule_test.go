package envoy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/ir/editing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// FuzzLiteral writes texts into the headers of answers: what comes out of Envoy
// is what went in.
func FuzzLiteral(f *testing.F) {
	for _, seed := range []string{
		"", "%", "%%", "%%%", "100%", "%REQ(X)%", "%%REQ(X)%%", "%DYNAMIC_METADATA(a:b)%", "%ENVIRONMENT(PATH)%", "%CEL(1)%",
		"%START_TIME(%s)%", "%(", "%)%", "%REQ(", "${HOME}", `\1 \\ \n`, "a\tb", "grüße", `"quoted" 'and' so`, "%0A%0D", "{{.X}}",
		strings.Repeat("%", 4095), strings.Repeat("%REQ(X)%", 512),
	} {
		f.Add(seed)
	}
	d := startRig(f, "plain").doors["plain"]
	f.Fuzz(func(t *testing.T, value string) {
		if !editing.ValidValue(value) || !utf8.ValidString(value) || len(value) > 4096 {
			t.Skip("the front end and the rule's own check keep it out")
		}
		comesBack(t, d, []string{value})
	})
}

// TestLiteral writes many texts that are made of what formats are made of.
func TestLiteral(t *testing.T) {
	d := startRig(t, "plain").doors["plain"]
	parts := []string{"%", "%%", "REQ", "(", ")", ":", "X", "?", "TRAILER", "START_TIME", "PROTOCOL", "[", "]", "$", "{", "}", `\`, "1", " ", "é"}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		values := make([]string, 60)
		for i := range values {
			for range random.IntN(12) {
				values[i] += parts[random.IntN(len(parts))]
			}
		}
		comesBack(t, d, values)
	}
}

// comesBack has one answer carry all values, each in a field of its own.
func comesBack(t *testing.T, d *door, values []string) {
	t.Helper()
	d.rig.t = t
	edit := &ir.HeaderEdit{}
	for i, value := range values {
		edit.Set = append(edit.Set, ir.Header{Name: fmt.Sprintf("X-V-%d", i), Value: value})
	}
	w := aWalk(&ir.Rule{})
	if err := w.addResponseHeaders(edit); err != nil {
		t.Fatal(err)
	}
	d.serve(&routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{{
		Name: "all", Domains: []string{"*"}, Routes: []*routev3.Route{w.finish(nil)},
	}}})
	got := d.headers(t, "GET / HTTP/1.1\r\nHost: a\r\nX: secret\r\n\r\n")
	for i, value := range values {
		name := fmt.Sprintf("X-V-%d", i)
		if want := strings.Trim(value, " \t"); len(got[name]) != 1 || got[name][0] != want {
			t.Errorf("%q came back as %q", value, got[name])
		}
	}
}

func aWalk(rule *ir.Rule) *walk {
	rule.Matches = []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: "/"}}}
	return &walk{entry: order.Entry{Route: &ir.Route{}, Rule: rule}, listener: &ir.Listener{Protocol: ir.HTTP, Port: 80}, reached: 80}
}

// headers are those of the answer to a request.
func (d *door) headers(t *testing.T, request string) http.Header {
	t.Helper()
	for range 2 {
		if _, _, err := d.try(request); err == nil {
			return d.last
		}
	}
	t.Fatalf("no answer to %q: %s", request, d.rig.log)
	return nil
}

// TestTokens reads tokens with the standard library's hashes, and sends them back
// whole and changed.
func TestTokens(t *testing.T) {
	r := startRig(t, "plain")
	key := []byte("a key of 32 bytes, more or less.")
	if err := os.WriteFile(filepath.Join(r.dir, "key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	d := r.doors["plain"]
	of := ir.EndpointsKey{Namespace: "shop", Service: "cart", Port: 80}
	for _, endpoint := range []string{
		"10.1.2.3:8080", "255.255.255.255:65535", "[::1]:80", "[2001:db8::8:800:200c:417a]:443", "[fe80::1:0:0:1]:1",
		"[1:0:0:2::3]:9", "[2001:db8:1:2:3:4:5:6]:7",
	} {
		d.serve(&routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{{
			Name: "all", Domains: []string{"*"}, Routes: []*routev3.Route{answersAs(of, endpoint)},
		}}})
		ask := func(token string) []string {
			return d.headers(t, "GET / HTTP/1.1\r\nHost: a\r\nX-Session: "+token+"\r\n\r\n")["X-Session"]
		}
		begun := ask("none")
		if len(begun) != 1 {
			t.Fatalf("%s: no token: %s", endpoint, r.log)
		}
		token := begun[0]
		if address, err := readToken(token, key, of); err != nil || address.String() != endpoint {
			t.Errorf("%s: %v, %v", endpoint, address, err)
		}
		if again := ask(token); again != nil {
			t.Errorf("%s: its own token is not known: %s", endpoint, r.log)
		}
		for i := range token {
			changed := token[:i] + string('A'+(token[i]+1)%26) + token[i+1:]
			if changed != token && ask(changed) == nil {
				t.Errorf("%s: a token that was changed at %d is believed", endpoint, i)
			}
		}
		if ask(token[:len(token)-1]) == nil || ask(token+"A") == nil || ask("") == nil {
			t.Errorf("%s: a token of another length is believed", endpoint)
		}
	}
}

// answersAs is a route of a session whose answers seem to come from an endpoint.
func answersAs(of ir.EndpointsKey, endpoint string) *routev3.Route {
	w := aWalk(&ir.Rule{Session: &ir.Session{Name: "X-Session", Header: true, AbsoluteTimeout: ir.Duration(time.Hour)}})
	w.keepSession(of)
	stamp := &edits{}
	stamp.response = append(stamp.response, format(
		endpointHeader, "via_upstream "+literal(endpoint), corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD))
	w.chain = w.chain[:1]
	w.append("endpoint", stamp.filter())
	return w.finish(nil)
}

// readToken checks a token as its script does, by other means.
func readToken(token string, key []byte, of ir.EndpointsKey) (netip.AddrPort, error) {
	sum := func(parts ...string) []byte {
		hash := hmac.New(sha256.New, key)
		hash.Write([]byte(strings.Join(parts, "")))
		return hash.Sum(nil)
	}
	tag := sessionTag(of)
	bytes, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, tag))
	if err != nil || len(bytes) != 42 {
		return netip.AddrPort{}, fmt.Errorf("%d bytes: %w", len(bytes), err)
	}
	begin, hidden, signature := bytes[:8], bytes[8:26], bytes[26:]
	for i, octet := range sum("mask", string(signature))[:18] {
		hidden[i] ^= octet
	}
	if !hmac.Equal(sum("token", tag, string(begin), string(hidden))[:16], signature) {
		return netip.AddrPort{}, errors.New("the signature is another")
	}
	if age := time.Since(time.Unix(int64(binary.BigEndian.Uint64(begin)), 0)); age < -time.Minute || age > time.Hour { //nolint:gosec // It is a time of now.
		return netip.AddrPort{}, fmt.Errorf("made %v ago", age)
	}
	address := netip.AddrFrom16([16]byte(hidden[:16])).Unmap()
	return netip.AddrPortFrom(address, binary.BigEndian.Uint16(hidden[16:])), nil
}
