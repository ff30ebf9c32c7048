package field

import (
	"encoding/binary"
	"strings"
	"unsafe"
)

// The classes of octets.
const (
	InToken  uint8 = 1 << iota // RFC 9110, section 5.6.2
	InTarget                   // visible ASCII but "#", which begins what a client never sends
	inHost                     // unreserved (RFC 3986, section 2.3)
	IsLower
	isOdd // "_" and "."
	IsHex
)

var octets = classifyOctets()

func classifyOctets() (table [256]uint8) {
	for i := range table {
		c := byte(i)
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		digit := c >= '0' && c <= '9'
		set := func(class uint8, in bool) {
			if in {
				table[i] |= class
			}
		}
		set(InToken, letter || digit || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0)
		set(InTarget, c > ' ' && c < 0x7f && c != '#')
		set(inHost, letter || digit || strings.IndexByte("-._~", c) >= 0)
		set(IsLower, c >= 'a' && c <= 'z')
		set(isOdd, c == '_' || c == '.')
		set(IsHex, digit || c|0x20 >= 'a' && c|0x20 <= 'f')
	}
	return table
}

// In reports whether an octet is of a class.
func In(c byte, class uint8) bool { return octets[c]&class != 0 }

// All reports whether s has nothing but octets of a class. It is true of "".
func All(s string, class uint8) bool {
	for i := 0; i < len(s); i++ {
		if octets[s[i]]&class == 0 {
			return false
		}
	}
	return true
}

// IsToken reports whether s can be a name or a method.
func IsToken(s string) bool { return s != "" && All(s, InToken) }

const (
	each  = 0x0101010101010101
	highs = 0x8080808080808080
)

// ValidValue reports whether s may be a field's value: visible octets, space
// and tab, and those above ASCII (RFC 9110, section 5.5). It looks at eight
// octets at a time, as it sees every octet that comes in and goes out.
func ValidValue(s string) bool {
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	for len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b)
		control := (w - each*' ') &^ w
		del := w ^ each*0x7f
		del = (del - each) &^ del
		if (control|del)&highs != 0 && !validOctets(b[:8]) {
			return false
		}
		b = b[8:]
	}
	return validOctets(b)
}

func validOctets(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// Trim removes the optional white space around a value (RFC 9110, section
// 5.6.3): no more than space and tab.
func Trim(s string) string {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// Folds reports whether s is lower in any case. ASCII alone folds, unlike in
// strings.EqualFold, which takes the Kelvin sign for a k.
func Folds(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// ScanName returns how many octets of a token a line begins with, and whether
// "_" or "." is among them.
func ScanName(line string) (n int, odd bool) {
	class := uint8(0)
	for n < len(line) && octets[line[n]]&InToken != 0 {
		class |= octets[line[n]]
		n++
	}
	return n, class&isOdd != 0
}
