package h1

import (
	"encoding/binary"
	"strings"
	"unsafe"
)

// The classes of octets.
const (
	inToken  = 1 << iota // RFC 9110, section 5.6.2
	inTarget             // visible ASCII but "#", which begins what a client never sends
	inHost               // unreserved (RFC 3986, section 2.3)
	isLower
	isOdd // "_" and "."
	isHex
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
		set(inToken, letter || digit || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0)
		set(inTarget, c > ' ' && c < 0x7f && c != '#')
		set(inHost, letter || digit || strings.IndexByte("-._~", c) >= 0)
		set(isLower, c >= 'a' && c <= 'z')
		set(isOdd, c == '_' || c == '.')
		set(isHex, digit || c|0x20 >= 'a' && c|0x20 <= 'f')
	}
	return table
}

// all reports whether s has nothing but octets of a class. It is true of "".
func all(s string, class uint8) bool {
	for i := 0; i < len(s); i++ {
		if octets[s[i]]&class == 0 {
			return false
		}
	}
	return true
}

func isToken(s string) bool { return s != "" && all(s, inToken) }

const (
	each  = 0x0101010101010101
	highs = 0x8080808080808080
)

// validValue reports whether s may be a field's value: visible octets, space
// and tab, and those above ASCII (RFC 9110, section 5.5). It looks at eight
// octets at a time, as it sees every octet that comes in and goes out.
func validValue(s string) bool {
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

// trim removes the optional white space around a value (RFC 9110, section
// 5.6.3): no more than space and tab.
func trim(s string) string {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// folds reports whether s is lower in any case. ASCII alone folds, unlike in
// strings.EqualFold, which takes the Kelvin sign for a k.
func folds(s, lower string) bool {
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

// inPlace returns a string over b, which must not change while it is in use.
func inPlace(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
