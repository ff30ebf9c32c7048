package haproxy

import (
	"crypto/rand"
	"encoding/base64"

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

// secretText is the part of the configuration that nothing shows: the key of the
// unit's sessions in BASE64, as HAProxy's hmac converter takes it, for whoever asks
// for the variable proc.session_key.
func secretText(key ir.Secret) string {
	return "global\n  set-var proc.session_key str(" + base64.StdEncoding.EncodeToString([]byte(key)) + ")\n"
}
