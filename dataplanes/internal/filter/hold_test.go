package filter_test

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/filter"
	"github.com/sluice-gateway/sluice/ir"
)

func TestHold(t *testing.T) {
	sessions := filter.NewSessions([]byte("key"))
	r := &exchange.Response{}
	sessions.Write(&ir.Session{Name: "sid"}, filter.Grant{}, r)
	cookie, _ := r.Header.Get("Set-Cookie")
	token, _, _ := strings.Cut(strings.TrimPrefix(cookie, "sid="), ";")
	for name, c := range map[string]struct {
		session            *ir.Session
		field, held, after string
	}{
		"none":         {nil, "Cookie: a=1", "a=1", "a=1"},
		"no token":     {&ir.Session{Name: "sid"}, "Cookie: a=1; sid=short", "a=1; sid=short", "a=1; sid=short"},
		"among others": {&ir.Session{Name: "sid"}, "Cookie: sid=" + token + "; a=1", "a=1", "a=1; sid=" + token},
		"alone":        {&ir.Session{Name: "sid"}, "Cookie: sid=" + token, "", "sid=" + token},
		"header":       {&ir.Session{Name: "X-S", Header: true}, "X-S: " + token, "", token},
	} {
		field, value, _ := strings.Cut(c.field, ": ")
		q := &exchange.Request{Header: exchange.Header{{Name: field, Value: value}}}
		back := filter.Hold(c.session, q)
		if got, _ := q.Header.Get(field); got != c.held {
			t.Errorf("%s: %q is seen meanwhile, want %q", name, got, c.held)
		}
		back()
		if got, _ := q.Header.Joined(field); got != c.after {
			t.Errorf("%s: %q is put back, want %q", name, got, c.after)
		}
	}
}
