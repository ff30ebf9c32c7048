package filter

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

var (
	epoch    = time.Unix(1_800_000_000, 0)
	sessions = NewSessions([]byte("0123456789abcdef0123456789abcdef"))
	service  = ir.EndpointsKey{Namespace: "shop", Service: "cart", Port: 80}
	endpoint = sessions.ID(service, ir.Endpoint{Address: "10.0.0.1", Port: 8080})
	byCookie = &ir.Session{Name: "sticky", Path: "/cart", AbsoluteTimeout: ir.Duration(time.Hour), Permanent: true}
	byHeader = &ir.Session{Name: "x-sticky", Header: true}
)

// begin returns what a client is given.
func begin(session *ir.Session, secure bool) string {
	r := &exchange.Response{}
	sessions.Write(session, Grant{Endpoint: endpoint, Now: epoch, Secure: secure}, r)
	return r.Header[0].Value
}

// token returns a cookie's value.
func token(cookie string) string {
	value, _, _ := strings.Cut(strings.TrimPrefix(cookie, "sticky="), ";")
	return value
}

func TestSessionCookie(t *testing.T) {
	cookie := begin(byCookie, true)
	if !strings.HasSuffix(cookie, "; Path=/cart; Max-Age=3600; Secure; HttpOnly; SameSite=Lax") || strings.Contains(cookie, "10.0.0.1") {
		t.Errorf("the cookie is %q", cookie)
	}
	r := request("GET", "/", exchange.Field{Name: "Cookie", Value: "a=b; sticky=other; sticky=" + token(cookie) + "; c=d"})
	id, ok := sessions.Read(byCookie, r, epoch.Add(time.Minute))
	if !ok || id != endpoint {
		t.Errorf("read %x, %v", id, ok)
	}
	if got := text(r.Header); got != "Cookie: a=b; sticky=other; c=d" {
		t.Errorf("the backend gets %q", got)
	}
	if plain := begin(&ir.Session{Name: "sticky", Path: "/a; Domain=evil"}, false); strings.Contains(plain, "Secure") || strings.Contains(plain, "evil") || strings.Contains(plain, "Max-Age") {
		t.Errorf("the cookie is %q", plain)
	}
}

func TestSessionHeader(t *testing.T) {
	r := request("GET", "/", exchange.Field{Name: "X-Sticky", Value: begin(byHeader, false)})
	id, ok := sessions.Read(byHeader, r, epoch.Add(1000*time.Hour))
	if !ok || id != endpoint || len(r.Header) != 0 {
		t.Errorf("read %x, %v, left %v", id, ok, r.Header)
	}
}

func TestSessionsThatAreNone(t *testing.T) {
	good := token(begin(byCookie, false))
	forged := []byte(good)
	forged[12] ^= 1
	for name, c := range map[string]struct {
		token string
		now   time.Time
	}{
		"none":       {"", epoch},
		"too old":    {good, epoch.Add(time.Hour)},
		"from ahead": {good, epoch.Add(-2 * time.Minute)},
		"forged":     {string(forged), epoch},
		"cut":        {good[1:], epoch},
		"not base64": {strings.Repeat("!", len(good)), epoch},
		"another key": {token(func() string {
			r := &exchange.Response{}
			NewSessions([]byte("another")).Write(byCookie, Grant{Endpoint: endpoint, Now: epoch}, r)
			return r.Header[0].Value
		}()), epoch},
	} {
		r := request("GET", "/", exchange.Field{Name: "Cookie", Value: "sticky=" + c.token})
		if id, ok := sessions.Read(byCookie, r, c.now); ok {
			t.Errorf("%s: read %x", name, id)
		}
	}
}

func TestEndpointsHaveIdentitiesOfTheirOwn(t *testing.T) {
	seen := map[EndpointID]bool{}
	for _, key := range []ir.EndpointsKey{service, {Namespace: "shopc", Service: "art", Port: 80}} {
		for _, e := range []ir.Endpoint{{Address: "10.0.0.1", Port: 80}, {Address: "10.0.0.1", Port: 81}, {Address: "10.0.0.2", Port: 80}} {
			seen[sessions.ID(key, e)] = true
		}
	}
	if len(seen) != 6 {
		t.Errorf("%d identities for 6 endpoints", len(seen))
	}
}

func FuzzSessionRead(f *testing.F) {
	f.Add("sticky=" + token(begin(byCookie, false)))
	f.Add("sticky=; sticky")
	good := token(begin(byCookie, false))
	f.Fuzz(func(t *testing.T, cookie string) {
		r := request("GET", "/", exchange.Field{Name: "Cookie", Value: cookie})
		if _, ok := sessions.Read(byCookie, r, epoch); ok && !strings.Contains(cookie, good) {
			t.Fatalf("%q passes for a session", cookie)
		}
	})
}
