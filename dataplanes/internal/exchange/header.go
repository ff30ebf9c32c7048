package exchange

import "strings"

// Field is one header field.
type Field struct {
	Name  string
	Value string
}

// Header is a list of fields in the order in which they came. Names compare
// without regard to case (RFC 9110, section 5.1).
type Header []Field

// Get returns the first value of a name, and whether there is one.
func (h Header) Get(name string) (string, bool) {
	for i := range h {
		if strings.EqualFold(h[i].Name, name) {
			return h[i].Value, true
		}
	}
	return "", false
}

// Joined returns all values of a name, joined by ", " (RFC 9110, section 5.3),
// and whether there is any. It allocates only for a name that comes twice.
func (h Header) Joined(name string) (string, bool) {
	joined, found := "", false
	for i := range h {
		if !strings.EqualFold(h[i].Name, name) {
			continue
		}
		if found {
			joined += ", " + h[i].Value
			continue
		}
		joined, found = h[i].Value, true
	}
	return joined, found
}

// Add appends a field.
func (h *Header) Add(name, value string) { *h = append(*h, Field{Name: name, Value: value}) }

// Set puts one field in the place of all that have its name.
func (h *Header) Set(name, value string) {
	kept, set := (*h)[:0], false
	for _, f := range *h {
		if !strings.EqualFold(f.Name, name) {
			kept = append(kept, f)
			continue
		}
		if !set {
			kept, set = append(kept, Field{Name: name, Value: value}), true
		}
	}
	if !set {
		kept = append(kept, Field{Name: name, Value: value})
	}
	*h = kept
}

// Del removes every field of a name.
func (h *Header) Del(name string) {
	kept := (*h)[:0]
	for _, f := range *h {
		if !strings.EqualFold(f.Name, name) {
			kept = append(kept, f)
		}
	}
	*h = kept
}

// Clone returns a copy that shares nothing with h.
func (h Header) Clone() Header {
	c := make(Header, len(h))
	for i, f := range h {
		c[i] = Field{Name: strings.Clone(f.Name), Value: strings.Clone(f.Value)}
	}
	return c
}

// DelDisguised removes every field whose name is another spelling of a name:
// one that those who write "_" or "." for "-" (CGI, WSGI, PHP) cannot tell from
// it. What a rule vouches for must not come from the client in disguise.
func (h *Header) DelDisguised(name string) {
	kept := (*h)[:0]
	for _, f := range *h {
		if !disguises(f.Name, name) {
			kept = append(kept, f)
		}
	}
	*h = kept
}

// disguises says whether two names differ in "_", "." and "-" alone.
func disguises(a, b string) bool {
	if len(a) != len(b) || strings.EqualFold(a, b) {
		return false
	}
	for i := range len(a) {
		if plain(a[i]) != plain(b[i]) {
			return false
		}
	}
	return true
}

func plain(c byte) byte {
	switch {
	case c == '_' || c == '.':
		return '-'
	case c >= 'A' && c <= 'Z':
		return c + 'a' - 'A'
	default:
		return c
	}
}
