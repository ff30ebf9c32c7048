package requestpath

import (
	"errors"
	"strings"
)

// The reasons for which a path is refused with 400. Their texts hold nothing
// that the client sent.
var (
	ErrNotAbsolute  = errors.New(`path: does not begin with "/"`)
	ErrCharacter    = errors.New("path: holds a control character, a space, a backslash, \"#\", \"?\" or an octet above ASCII")
	ErrEscape       = errors.New(`path: "%" is not followed by two hexadecimal digits`)
	ErrEncoded      = errors.New("path: holds an encoded slash, backslash or control character")
	ErrDotParameter = errors.New("path: a dot segment has a parameter")
)

// Normalise returns the normal form of a request's raw path, without query, or
// one of this package's errors; encoded slashes are refused. An empty path is
// "/" (RFC 9110, section 4.2.3). It allocates nothing where the path is normal
// already, which it accepts unchanged: Normalise(Normalise(p)) is Normalise(p).
func Normalise(raw string) (string, error) { return RejectSlashes.Normalise(raw) }

// Slashes says what becomes of a path with encoded slashes or backslashes.
type Slashes bool

// What becomes of "%2F" and "%5C".
const (
	// RejectSlashes refuses the path.
	RejectSlashes Slashes = false
	// KeepSlashes leaves them as they are, as data inside of their segment. What
	// would be a dot segment to those who decode them is still refused.
	KeepSlashes Slashes = true
)

// Normalise is the package's, but for encoded slashes.
func (s Slashes) Normalise(raw string) (string, error) {
	if raw == "" {
		return "/", nil
	}
	if raw[0] != '/' {
		return "", ErrNotAbsolute
	}
	if normal(raw) {
		return raw, nil
	}
	decoded, err := s.decode(raw)
	if err != nil {
		return "", err
	}
	return resolve(decoded)
}

// The classes of octets, for one look into a table an octet.
const (
	keep   = iota // stands for itself
	escape        // must be escaped, and is accepted as it is
	refuse        // is refused
	look          // needs a closer look: "/", "." and "%"
)

var classes = classify()

func classify() (table [256]byte) {
	for i := range table {
		switch c := byte(i); {
		case c <= ' ' || c >= 0x7f || strings.IndexByte(`\#?`, c) >= 0:
			table[i] = refuse
		case c == '/' || c == '.' || c == '%':
			table[i] = look
		case strings.IndexByte(`"<>[]^{|}`+"`", c) >= 0:
			table[i] = escape
		default:
			table[i] = keep
		}
	}
	return table
}

// normal reports whether a path surely is in normal form, without allocating.
// It may say no of one that is: one with escapes or with a segment that begins
// with a dot goes the slow way.
func normal(path string) bool {
	for i := 0; i < len(path); i++ {
		switch classes[path[i]] {
		case keep:
		case look:
			if path[i] == '%' {
				if !normalEscape(path, i) {
					return false
				}
				continue
			}
			if i > 0 && path[i-1] == '/' {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// normalEscape reports whether the escape at i is one that the normal form keeps.
func normalEscape(path string, i int) bool {
	if i+2 >= len(path) || lower(path[i+1]) || lower(path[i+2]) {
		return false
	}
	octet, ok := OctetAt(path, i)
	return ok && kept(octet) && !encodedDanger(octet)
}

func lower(c byte) bool { return c >= 'a' && c <= 'f' }

// kept reports whether an escaped octet stays escaped: all but the unreserved.
func kept(octet byte) bool {
	switch {
	case octet >= 'a' && octet <= 'z', octet >= 'A' && octet <= 'Z', octet >= '0' && octet <= '9':
		return false
	default:
		return strings.IndexByte("-._~", octet) < 0
	}
}

// encodedDanger reports whether an octet is refused in its escaped form too, or
// may be.
func encodedDanger(octet byte) bool {
	return octet < ' ' || octet == 0x7f || slash(octet)
}

func slash(octet byte) bool { return octet == '/' || octet == '\\' }

// decode brings every octet into its normal form, and leaves segments alone.
func (s Slashes) decode(raw string) (string, error) {
	var b strings.Builder
	b.Grow(len(raw))
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case classes[c] == refuse:
			return "", ErrCharacter
		case classes[c] == escape:
			writeEscape(&b, c)
		case c == '%':
			octet, ok := OctetAt(raw, i)
			if !ok {
				return "", ErrEscape
			}
			if encodedDanger(octet) && !(s == KeepSlashes && slash(octet)) {
				return "", ErrEncoded
			}
			writeOctet(&b, octet)
			i += 2
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// writeOctet writes what was escaped: decoded where it is unreserved.
func writeOctet(b *strings.Builder, octet byte) {
	if kept(octet) {
		writeEscape(b, octet)
		return
	}
	b.WriteByte(octet)
}

func writeEscape(b *strings.Builder, octet byte) {
	const digits = "0123456789ABCDEF"
	b.WriteByte('%')
	b.WriteByte(digits[octet>>4])
	b.WriteByte(digits[octet&15])
}

// OctetAt returns the octet that the escape at s[i] stands for; ok is false where
// no two hexadecimal digits follow.
func OctetAt(s string, i int) (octet byte, ok bool) {
	if i+2 >= len(s) {
		return 0, false
	}
	high, low := unhex(s[i+1]), unhex(s[i+2])
	return byte(high<<4 | low), high >= 0 && low >= 0
}

// unhex returns the value of a hexadecimal digit, and -1 for anything else.
func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	default:
		return -1
	}
}
