package order

import (
	"strings"

	"github.com/sluice-gateway/sluice/ir/requestpath"
)

// QueryValue returns the first value of a query parameter, decoded as HTML
// forms are ("+" is a space), and whether there is one. Parameters are separated
// by "&" alone; an escape that is not one stands for itself, so that no text of
// a client's can make the look-up fail.
func QueryValue(query, name string) (value string, found bool) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, raw, _ := strings.Cut(pair, "=")
		if pair != "" && Unescape(key) == name {
			return Unescape(raw), true
		}
	}
	return "", false
}

// Unescape decodes one name or value of a query. It allocates only where there
// is something to decode.
func Unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		c, size := UnescapeAt(s, i)
		b.WriteByte(c)
		i += size
	}
	return b.String()
}

// UnescapeAt decodes the octet that begins at s[i], and says how many bytes of
// s it takes.
func UnescapeAt(s string, i int) (octet byte, size int) {
	switch {
	case s[i] == '+':
		return ' ', 1
	case s[i] == '%':
		if octet, ok := requestpath.OctetAt(s, i); ok {
			return octet, 3
		}
		return '%', 1
	default:
		return s[i], 1
	}
}
