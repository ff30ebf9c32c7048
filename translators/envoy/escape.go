package envoy

import (
	"regexp"
	"strings"
)

// literal writes a text where Envoy has formats, as in the values of header
// edits: what comes out is the text itself, byte for byte. A percent sign is all
// that begins a command there.
func literal(text string) string { return strings.ReplaceAll(text, "%", "%%") }

// substitution writes a text where Envoy replaces what an expression has
// matched: a backslash is all that refers to the match there.
func substitution(text string) string { return strings.ReplaceAll(text, `\`, `\\`) }

// itself is an expression of RE2 that matches a text itself.
func itself(text string) string { return regexp.QuoteMeta(text) }
