package haproxy

import (
	"crypto/rand"

	"github.com/sluice-gateway/sluice/ir"
)

// sessionKey is what the tokens of the unit's sessions are made with: what all
// proxies of the unit were given, or else a random one of this proxy's own.
func (u *unit) sessionKey() ir.Secret {
	if key := u.assigned.SessionKey; key != "" {
		return key
	}
	if u.ownKey == "" {
		random := make([]byte, 32)
		_, _ = rand.Read(random) // It never fails (Go 1.24).
		u.ownKey = ir.Secret(random)
	}
	return u.ownKey
}
