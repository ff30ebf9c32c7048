package verdict

import (
	"encoding/pem"
	"strings"
	"testing"
)

// What a proxy says is told without what it was given: that may be a key.
func TestWordsHoldNoSecret(t *testing.T) {
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte(strings.Repeat("secret", 40))}))
	for _, c := range []struct{ said, want string }{
		{"pattern too large - compile failed", "pattern too large - compile failed"},
		{"bad key " + key + " here", "bad key [redacted] here"},
		{"bad key " + key[:100], "bad key [redacted]"},
		{"bad key -----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY----- there", "bad key [redacted] there"},
		{"inline " + strings.Repeat("QUJD", 20) + "!", "inline [redacted]!"},
		{"bad key " + strings.Repeat("aB3/", 20), "bad key [redacted]"},
		{" ,\n.", "none"},
	} {
		if got := Brief(Redact(c.said), "none"); got != c.want {
			t.Errorf("%q: got %q, want %q", c.said, got, c.want)
		}
	}
	if got := Brief(strings.Repeat("ä ", 1000), ""); len(got) > longestWords+3 {
		t.Errorf("%d bytes", len(got))
	}
}
