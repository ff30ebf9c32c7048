package verdict

import (
	"regexp"
	"strings"
)

var (
	// pemBlock is a block of PEM, which may hold a key, or what is left of one.
	pemBlock = regexp.MustCompile(`-----BEGIN [^-]*-----(?s:.*?)(-----END [^-]*-----|$)`)
	// coded is a run of what looks like a key in BASE64.
	coded = regexp.MustCompile(`[A-Za-z0-9+/=_-]{64,}`)
	space = regexp.MustCompile(`\s+`)
)

// longestWords bounds what of a proxy's words goes into a status.
const longestWords = 400

// Redact returns a proxy's words without what may be a secret. It comes first: what is
// left of a key that was cut may look like none.
func Redact(words string) string {
	return coded.ReplaceAllString(pemBlock.ReplaceAllString(words, "[redacted]"), "[redacted]")
}

// Brief returns words on one line that is not too long, or others where there are none.
func Brief(words, otherwise string) string {
	words = strings.Trim(space.ReplaceAllString(words, " "), " ,.:")
	switch {
	case words == "":
		return otherwise
	case len(words) > longestWords:
		return strings.ToValidUTF8(words[:longestWords], "") + "..."
	default:
		return words
	}
}
