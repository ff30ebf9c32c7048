package envoy

import "github.com/sluice-gateway/sluice/ir"

// sessionKeyVariable tells the script that makes the tokens of sessions
// (translators/envoy/lua/session.lua) which file has their key. It is in no
// resource, so that no dump of Envoy's configuration shows it.
const sessionKeyVariable = "SLUICE_SESSION_KEY_FILE"

const sessionKeyName = "session-key"

func (f files) sessionKey() string { return f.Path(sessionKeyName) }

// keepSessionKey writes the key where it is another than the last. Requests find
// an old one or the new one, never half of one.
func (p *process) keepSessionKey(key ir.Secret) error {
	if p.key == key {
		return nil
	}
	if err := p.files.Write(sessionKeyName, string(key)); err != nil {
		return err
	}
	p.key = key
	return nil
}
