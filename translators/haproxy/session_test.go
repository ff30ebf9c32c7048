package haproxy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
)

// sessionKey holds what an expression of HAProxy or Lua could stumble over.
const sessionKey = "\x00\n%[src]\"\\ 0123456789abcdef\xff"

// token is what the Go proxy makes (dataplanes/internal/filter/session.go).
func token(key ir.BackendKey, server string, begin time.Time) string {
	keyed := func(text []byte) []byte {
		hash := hmac.New(sha256.New, []byte(sessionKey))
		hash.Write(text)
		return hash.Sum(nil)[:16]
	}
	at := netip.MustParseAddrPort(server)
	var endpoint []byte
	for _, part := range []string{"endpoint", key.Namespace, key.Service, strconv.Itoa(int(key.Port)), at.Addr().String(), strconv.Itoa(int(at.Port()))} {
		endpoint = append(binary.BigEndian.AppendUint64(endpoint, uint64(len(part))), part...)
	}
	text := binary.BigEndian.AppendUint64(nil, uint64(begin.Unix())) //nolint:gosec // It is after 1970.
	text = append(text, keyed(endpoint)...)
	return base64.RawURLEncoding.EncodeToString(append(text, keyed(append([]byte("token"), text...))...))
}

// named answers who it is, and what it got.
func named(w http.ResponseWriter, r *http.Request) {
	address, _ := r.Context().Value(http.LocalAddrContextKey).(interface{ String() string })
	w.Header().Set("By", address.String())
	w.Header()["Got-Cookie"] = r.Header.Values("Cookie")
	w.Header().Set("Got-Session", r.Header.Get("X-Session"))
	_, _ = io.WriteString(w, "named")
}

func TestSessionsStayWithTheirEndpoint(t *testing.T) {
	uses := func(names ...string) []ir.BackendUse {
		var all []ir.BackendUse
		for _, name := range names {
			key := keyOf(name)
			all = append(all, ir.BackendUse{Backend: &key, Weight: 1})
		}
		return all
	}
	hour := ir.Duration(time.Hour)
	endpoints := []http.HandlerFunc{named, named, named}
	at := "http://" + served(t, ruled(t, map[string]*ir.Rule{
		"/cookie": {Session: &ir.Session{Name: "sid$'", Path: "/a \"b\" #", AbsoluteTimeout: hour, Permanent: true}, Backends: uses("two")},
		"/header": {Session: &ir.Session{Name: "X-Session", Header: true, AbsoluteTimeout: hour}, Backends: uses("two")},
		"/both":   {Session: &ir.Session{Name: "sid"}, Backends: uses("two", "three")},
	}, service{"two", endpoints}, service{"three", endpoints}))

	first := ask(t, http.MethodGet, at+"/header")
	by, got := first.Header.Get("By"), first.Header.Get("X-Session")
	if want := token(keyOf("two"), by, began(got)); got != want {
		t.Fatalf("the token is %q, want %q, as the Go proxy makes it", got, want)
	}
	for range 10 {
		again := ask(t, http.MethodGet, at+"/header", "X-Session: "+got)
		if again.Header.Get("By") != by || again.Header.Get("X-Session") != "" || again.Header.Get("Got-Session") != "" {
			t.Fatalf("with the token of %s: %v", by, again.Header)
		}
	}
	for name, forged := range map[string]string{
		"longer": got + "A", "twice": got + got, "another text": strings.Repeat("A", len(got)), "another endpoint": token(keyOf("two"), "10.0.0.1:80", time.Now()),
		"another backend": token(keyOf("three"), by, time.Now()), "too old": token(keyOf("two"), by, time.Now().Add(-2*time.Hour)),
		"of the future": token(keyOf("two"), by, time.Now().Add(time.Hour)), "none": "", "no base64": strings.Repeat("!", len(got)),
		"changed": got[:5] + string(got[5]^1) + got[6:],
	} {
		if r := ask(t, http.MethodGet, at+"/header", "X-Session: "+forged); r.StatusCode != 200 || r.Header.Get("X-Session") == "" {
			t.Errorf("%s: status %d and %q; want 200 and a new session", name, r.StatusCode, r.Header.Get("X-Session"))
		}
	}

	set := ask(t, http.MethodGet, at+"/cookie").Header.Get("Set-Cookie")
	value, attributes, _ := strings.Cut(strings.TrimPrefix(set, "sid$'="), ";")
	if want := ` Path=/a "b" #; Max-Age=3600; HttpOnly; SameSite=Lax`; attributes != want {
		t.Errorf("the cookie is %q; want %q behind its value", set, want)
	}
	back := ask(t, http.MethodGet, at+"/cookie", "Cookie: a=1; sid$'=other;sid$'=\""+value+"\"; b=2", "Cookie: sid$'="+value, "Cookie: c=3")
	if cookies := strings.Join(back.Header.Values("Got-Cookie"), " | "); back.Header.Get("Set-Cookie") != "" || cookies != "a=1; sid$'=other; b=2 | c=3" && cookies != "a=1; sid$'=other; b=2; c=3" {
		t.Errorf("with a session the backend got cookies %q, and the client %q", cookies, back.Header.Get("Set-Cookie"))
	}

	split := ask(t, http.MethodGet, at+"/both")
	value, _, _ = strings.Cut(strings.TrimPrefix(split.Header.Get("Set-Cookie"), "sid="), ";")
	for range 20 {
		if again := ask(t, http.MethodGet, at+"/both", "Cookie: sid="+value); again.Header.Get("By") != split.Header.Get("By") {
			t.Fatalf("a session of %s was served by %s", split.Header.Get("By"), again.Header.Get("By"))
		}
	}
}

func began(token string) time.Time {
	bytes, _ := base64.RawURLEncoding.DecodeString(token)
	if len(bytes) < 8 {
		return time.Time{}
	}
	return time.Unix(int64(binary.BigEndian.Uint64(bytes)), 0) //nolint:gosec // It is a time.
}

func TestASessionGoesElsewhereWhereItsEndpointRefuses(t *testing.T) {
	two := keyOf("two")
	c := ruled(t, map[string]*ir.Rule{
		"/": {Session: &ir.Session{Name: "X-Session", Header: true}, Backends: []ir.BackendUse{{Backend: &two, Weight: 1}}},
	}, service{"two", []http.HandlerFunc{named, named}})
	for _, e := range c.unit.Endpoints {
		if e.Key == two.EndpointsKey {
			e.Endpoints[0].Port = 1
		}
	}
	refusing := "127.0.0.1:1"
	at := "http://" + served(t, Translate(c.unit, c.target, nil))
	got := ask(t, http.MethodGet, at, "X-Session: "+token(two, refusing, time.Now()))
	if got.StatusCode != 200 || got.Header.Get("X-Session") != token(two, got.Header.Get("By"), began(got.Header.Get("X-Session"))) {
		t.Errorf("status %d by %q with the token %q; want 200 and a session with who answered", got.StatusCode, got.Header.Get("By"), got.Header.Get("X-Session"))
	}
}
