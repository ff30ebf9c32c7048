package haproxy

import (
	"fmt"
	"strings"
)

// quote writes a text as exactly one argument of a directive, whatever it holds but
// NUL, which the front end refuses wherever text of users comes from.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\' || c == '$' || c < ' ' || c >= 0x7f:
			_, _ = fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// format writes a text as one argument that HAProxy reads as a log format, and that
// says the text itself.
func format(text string) string { return formatted(text, "") }

// formatted is a text and what a sample expression says, as one argument that
// HAProxy reads as a log format. The expression is no text of users. HAProxy takes an
// empty argument for none.
func formatted(text, expression string) string {
	text = strings.ReplaceAll(text, "%", "%%")
	if text == "" && expression == "" {
		expression = "str()"
	}
	if expression != "" {
		text += "%[" + expression + "]"
	}
	return quote(text)
}
