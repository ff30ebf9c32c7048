package envoy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/requestpath"
)

// framing are the names that say where a message begins and ends, or whom it is
// for. The proxy writes them itself.
var framing = []string{
	"connection", "content-length", "host", "http2-settings", "keep-alive", "proxy-connection",
	"te", "trailer", "transfer-encoding", "upgrade",
}

func isFraming(name string) bool { return slices.Contains(framing, strings.ToLower(name)) }

// checkEdit refuses an edit that could break the framing of a message, or write
// a second one into it.
func checkEdit(edit *ir.HeaderEdit) error {
	for _, f := range slices.Concat(edit.Set, edit.Add) {
		if err := checkField(f.Name, f.Value); err != nil {
			return err
		}
	}
	for _, name := range edit.Remove {
		if err := checkField(name, ""); err != nil {
			return err
		}
	}
	return nil
}

func checkField(name, value string) error {
	switch {
	case !validName(name):
		return fmt.Errorf("%q is not a header name (RFC 9110, section 5.1)", name)
	case isFraming(name):
		return fmt.Errorf("%q belongs to the connection and cannot be edited; use a URLRewrite for the host", name)
	case !validValue(value):
		return fmt.Errorf("the value of %q holds control characters", name)
	default:
		return nil
	}
}

// validName reports whether a name is a token (RFC 9110, section 5.6.2).
func validName(name string) bool {
	for i := 0; i < len(name); i++ {
		if c := name[i]; !alphanumeric(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return name != ""
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// validValue reports whether a value can be written as one field (RFC 9110,
// section 5.5).
func validValue(value string) bool {
	for i := 0; i < len(value); i++ {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// validHost reports whether a host is a name or an address, so that nothing of
// it can be read as another part of a URI.
func validHost(host string) bool {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		address, closed := strings.CutSuffix(inner, "]")
		parsed, err := netip.ParseAddr(address)
		return closed && err == nil && parsed.Is6() && parsed.Zone() == ""
	}
	for i := 0; i < len(host); i++ {
		if c := host[i]; !alphanumeric(c) && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return host != ""
}

// pathEdit is an ir.PathEdit in normal form, so that what a rule writes is as
// unambiguous as what a client sent.
type pathEdit struct {
	full bool
	// value of a prefix has no trailing slash; it may be empty.
	value string
}

// readPath returns nil for no edit.
func readPath(spec *ir.PathEdit) (*pathEdit, error) {
	switch {
	case spec == nil:
		return nil, nil
	case spec.Full != nil:
		value, err := rooted(*spec.Full)
		if err != nil {
			return nil, fmt.Errorf("path.full: %q: %w", *spec.Full, err)
		}
		return &pathEdit{full: true, value: value}, nil
	case spec.Prefix != nil:
		value, err := rooted(*spec.Prefix)
		if err != nil {
			return nil, fmt.Errorf("path.prefix: %q: %w", *spec.Prefix, err)
		}
		return &pathEdit{value: strings.TrimSuffix(value, "/")}, nil
	default:
		return nil, errors.New("path: neither full nor prefix is set")
	}
}

// rooted normalises a path that may lack its leading slash.
func rooted(path string) (string, error) {
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return requestpath.Normalise(path)
}
