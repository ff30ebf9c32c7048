package envoy

import (
	"os"
	"path/filepath"

	"github.com/sluice-gateway/sluice/ir"
)

// sessionKeyVariable tells the script that makes the tokens of sessions
// (translators/envoy/lua/session.lua) which file has their key. It is in no
// resource, so that no dump of Envoy's configuration shows it.
const sessionKeyVariable = "SLUICE_SESSION_KEY_FILE"

func (f files) sessionKey() string { return filepath.Join(f.dir, "session-key") }

// keepSessionKey writes the key where it is another than the last. Requests find
// an old one or the new one, never half of one.
func (p *process) keepSessionKey(key ir.Secret) error {
	if p.key == key {
		return nil
	}
	fresh := p.files.sessionKey() + ".new"
	if err := os.WriteFile(fresh, []byte(key), 0o600); err != nil {
		return err
	}
	if err := os.Rename(fresh, p.files.sessionKey()); err != nil {
		return err
	}
	p.key = key
	return nil
}
