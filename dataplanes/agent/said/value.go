package said

import "strings"

// Value reads what a text begins with: a string, a number or null.
func Value(text string) (v, rest string, ok bool) {
	if strings.HasPrefix(text, `"`) {
		return quoted(text[1:])
	}
	if rest, ok = strings.CutPrefix(text, "null"); ok && rest != "" && ends(rest[0]) {
		return "", rest, true
	}
	for end := range len(text) {
		if ends(text[end]) {
			return text[:end], text[end:], end > 0
		}
	}
	return "", "", false
}

// ends reports whether a character stands behind a value.
func ends(c byte) bool { return c == ',' || c == ']' || c == '}' }

// quoted reads a string from behind its first quote.
func quoted(text string) (v, rest string, ok bool) {
	end := strings.IndexByte(text, '"')
	if end < 0 {
		return "", "", false
	}
	if at := strings.IndexByte(text[:end], '\\'); at >= 0 {
		return escaped(text, at)
	}
	return text[:end], text[end+1:], true
}

// escaped reads a string of which the first n bytes stand for themselves. What
// is not UTF-8 is written byte by byte, as characters of less than 256, or as it is,
// and so is all else that is beyond ASCII.
func escaped(text string, n int) (v, rest string, ok bool) {
	b := append(make([]byte, 0, len(text)), text[:n]...)
	for i := n; i < len(text); i++ {
		c := text[i]
		if c == '"' {
			return string(b), text[i+1:], true
		}
		if c != '\\' {
			b = append(b, c)
			continue
		}
		if i++; i == len(text) {
			break
		}
		if c = text[i]; c != 'u' {
			b = append(b, unescape(c))
			continue
		}
		if i+4 >= len(text) {
			break
		}
		b = append(b, hex(text[i+3])<<4|hex(text[i+4]))
		i += 4
	}
	return "", "", false
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	default:
		return c
	}
}

func hex(c byte) byte {
	switch {
	case c >= 'a':
		return c - 'a' + 10
	case c >= 'A':
		return c - 'A' + 10
	default:
		return c - '0'
	}
}
