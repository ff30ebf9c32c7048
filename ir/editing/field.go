package editing

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
)

// framing are the names that say where a message begins and ends, or whom it is
// for. The proxy writes them itself.
var framing = []string{
	"connection", "content-length", "host", "http2-settings", "keep-alive", "proxy-connection",
	"te", "trailer", "transfer-encoding", "upgrade",
}

// Framing reports whether a header belongs to the connection or to the framing
// of a message, so that nobody but the proxy may write it (RFC 9110, section
// 7.6.1; RFC 9113, section 8.2.2).
func Framing(name string) bool {
	if len(name) < len("te") || len(name) > len("transfer-encoding") {
		return false
	}
	for _, f := range framing {
		if len(f) == len(name) && strings.EqualFold(f, name) {
			return true
		}
	}
	return false
}

// Check refuses an edit that could break the framing of a message, or write a
// second one into it. The error begins with the list that the field is in.
func Check(edit *ir.HeaderEdit) error {
	for _, list := range []struct {
		name   string
		fields []ir.Header
	}{{"set", edit.Set}, {"add", edit.Add}} {
		for _, f := range list.fields {
			if err := checkField(f.Name, f.Value); err != nil {
				return fmt.Errorf("%s: %w", list.name, err)
			}
		}
	}
	for _, name := range edit.Remove {
		if err := checkField(name, ""); err != nil {
			return fmt.Errorf("remove: %w", err)
		}
	}
	return nil
}

func checkField(name, value string) error {
	switch {
	case !ValidName(name):
		return fmt.Errorf("%q is not a header name (RFC 9110, section 5.1)", name)
	case Framing(name):
		return fmt.Errorf("%q belongs to the connection and cannot be edited; use a URLRewrite for the host", name)
	case !ValidValue(value):
		return fmt.Errorf("the value of %q holds control characters", name)
	default:
		return nil
	}
}

// ValidName reports whether a name is a token (RFC 9110, section 5.6.2).
func ValidName(name string) bool {
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

// ValidValue reports whether a value can be written as one field (RFC 9110,
// section 5.5).
func ValidValue(value string) bool {
	for i := 0; i < len(value); i++ {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// ValidHost reports whether a host is a name or an address, so that nothing of
// it can be read as another part of a URI.
func ValidHost(host string) bool {
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
