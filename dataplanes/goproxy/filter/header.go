package filter

import (
	"context"
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

// edit changes the fields of a request's or of a response's header.
type edit struct {
	ir.HeaderEdit
	downwards bool
}

var _ step = (*edit)(nil)

func (e *edit) request(_ context.Context, x *Exchange) *exchange.Response {
	if !e.downwards {
		return nil
	}
	for _, name := range e.Remove {
		x.Request.Vouch(name)
	}
	for _, f := range e.Set {
		x.Request.Vouch(f.Name)
	}
	e.apply(&x.Request.Header)
	return nil
}

func (e *edit) response(_ *Exchange, r *exchange.Response) {
	if !e.downwards {
		e.apply(&r.Header)
	}
}

func (e *edit) apply(h *exchange.Header) {
	for _, name := range e.Remove {
		h.Del(name)
	}
	for _, f := range e.Set {
		h.Set(f.Name, f.Value)
	}
	for _, f := range e.Add {
		h.Add(f.Name, f.Value)
	}
}

// compileEdit refuses an edit that could break the framing of a message, or
// write a second one into it.
func compileEdit(field string, spec *ir.HeaderEdit, upwards bool) (step, error) {
	for _, list := range []struct {
		name   string
		fields []ir.Header
	}{{"set", spec.Set}, {"add", spec.Add}} {
		for _, f := range list.fields {
			if err := checkField(f.Name, f.Value); err != nil {
				return nil, fmt.Errorf("%s.%s: %w", field, list.name, err)
			}
		}
	}
	for _, name := range spec.Remove {
		if err := checkField(name, ""); err != nil {
			return nil, fmt.Errorf("%s.remove: %w", field, err)
		}
	}
	return &edit{HeaderEdit: *spec, downwards: !upwards}, nil
}

func checkField(name, value string) error {
	switch {
	case !validName(name):
		return fmt.Errorf("%q is not a header name (RFC 9110, section 5.1)", name)
	case Framing(name):
		return fmt.Errorf("%q belongs to the connection and cannot be edited; use a URLRewrite for the host", name)
	case !validValue(value):
		return fmt.Errorf("the value of %q holds control characters", name)
	default:
		return nil
	}
}

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

// validName reports whether a name is a token (RFC 9110, section 5.6.2).
func validName(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		alphanumeric := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alphanumeric && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return name != ""
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
