package envoy

import (
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// Envoy's trees read headers alone, and its own reading of a query leaves "+" as
// it is. So a condition on a query is an expression over the whole ":path": it
// goes over the pairs that have another name, then compares the first that has
// the name, octet by octet, in every way that an octet can be written (package
// order says which).

// The classes that pairs are made of.
const (
	inName      = `[^&=]*`
	hexDigit    = `[0-9A-Fa-f]`
	notHexDigit = `[^0-9A-Fa-f&=]`
)

// queryPattern is the expression of a condition on a query.
func queryPattern(want ir.ValueMatch) string {
	value, empty := wantedValue(want)
	value = "=" + value
	if empty {
		value = "(?:" + value + ")?"
	}
	return `(?s)[^?]*\?(?:` + otherName(want.Name) + `(?:=[^&]*)?&)*` + octets(want.Name, inName) + value + `(?:&.*)?`
}

// wantedValue is the expression of a value as it comes, and whether no value at
// all fits too.
func wantedValue(want ir.ValueMatch) (pattern string, empty bool) {
	if want.Kind != ir.Regex {
		return octets(want.Value, ""), want.Value == ""
	}
	compiled, err := order.Regexp(want.Value)
	if err != nil {
		return "[^&]*", true
	}
	return "(?:" + undecoded(want.Value) + ")", compiled.MatchString("")
}

// octets is every way in which a text can be written in a query. Within is what
// a name must not hold as it is.
func octets(text, within string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		size := 1
		if isHexPair(text, i) {
			// A "%" that stands for itself is not followed by two digits.
			size = 3
			one, two := octet(text[i+1], within), octet(text[i+2], within)
			fmt.Fprintf(&b, "(?:%%25%s%s|%%%s%s|%%%c%s)", one, two, escaped(text[i+1]), two, text[i+1], escaped(text[i+2]))
		} else {
			b.WriteString(octet(text[i], within))
		}
		i += size
	}
	return b.String()
}

func isHexPair(text string, at int) bool {
	return text[at] == '%' && at+2 < len(text) && isHex(text[at+1]) && isHex(text[at+2])
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// octet is every way in which an octet can be written.
func octet(c byte, within string) string {
	switch {
	case c == ' ':
		return `(?:\+|%20| )`
	case c == '+' || c == '&' || c == '=' && within == inName || c >= 0x80:
		return escaped(c)
	default:
		return "(?:" + quoted(c) + "|" + escaped(c) + ")"
	}
}

func quoted(c byte) string { return fmt.Sprintf(`\x%02X`, c) }

// escaped is an octet's escape, in either case.
func escaped(c byte) string { return "%" + digit(c>>4) + digit(c&15) }

func digit(n byte) string {
	if n < 10 {
		return string('0' + rune(n))
	}
	return fmt.Sprintf("[%c%c]", 'A'+n-10, 'a'+n-10)
}

// noDigit is a hexadecimal digit that is another.
func noDigit(n byte) string {
	const digits = "0123456789ABCDEF"
	rest := digits[:n] + digits[n+1:]
	return "[" + rest + strings.ToLower(strings.TrimLeft(rest, "0123456789")) + "]"
}

// otherName is every name, as it comes, that does not mean the one that is
// looked for: it ends early, differs somewhere, or goes on.
func otherName(name string) string {
	pattern := octet(name[len(name)-1], inName) + "[^&=]+"
	for i := len(name) - 1; ; i-- {
		pattern = "(?:|" + otherOctet(name[i]) + "|" + pattern + ")"
		if i == 0 {
			return pattern
		}
		pattern = octet(name[i-1], inName) + pattern
	}
}

// otherOctet is every beginning of a name that does not mean an octet, with all
// that can follow it.
func otherOctet(c byte) string {
	plain := `[^%&=` + quoted(c) + `]`
	switch c {
	case ' ':
		plain = `[^%&=+ ]`
	case '+':
		plain = `[^%&=]`
	}
	escapes := "%(?:" + noDigit(c>>4) + hexDigit + "|" + digit(c>>4) + noDigit(c&15) + ")"
	other := "(?:" + plain + "|" + escapes + ")" + inName
	if c == '%' {
		return other
	}
	return other + "|%(?:" + notHexDigit + inName + "|" + hexDigit + "(?:" + notHexDigit + inName + ")?)?"
}
