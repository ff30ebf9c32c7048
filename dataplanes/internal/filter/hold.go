package filter

import (
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

// Hold takes what may be a session's token off a request whose session another reads,
// later: filters of a backend, authorization servers and mirrors do not see it. Back
// puts it back, whatever filters have made of the field meanwhile.
func Hold(session *ir.Session, r *exchange.Request) (back func()) {
	switch {
	case session == nil:
		return func() {}
	case session.Header:
		return holdHeader(session.Name, r)
	}
	text := cookie(r.Header, session.Name, tokenText)
	if text == "" {
		return func() {}
	}
	dropCookie(&r.Header, session.Name, text)
	return func() {
		pair := session.Name + "=" + text
		if others, found := r.Header.Get("Cookie"); found {
			pair = strings.Join([]string{others, pair}, "; ")
		}
		r.Header.Set("Cookie", pair)
	}
}

func holdHeader(name string, r *exchange.Request) (back func()) {
	text, found := r.Header.Get(name)
	if !found {
		return func() {}
	}
	r.Header.Del(name)
	return func() { r.Header.Set(name, text) }
}
