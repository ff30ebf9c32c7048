package filter

import (
	"context"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/editing"
)

// redirect answers with a Location (HTTPRequestRedirectFilter).
type redirect struct{ editing.Redirect }

var _ step = (*redirect)(nil)

func compileRedirect(spec *ir.Redirect) (step, error) {
	to, err := editing.ReadRedirect(spec)
	return &redirect{to}, err
}

func (d *redirect) request(_ context.Context, x *Exchange) *exchange.Response {
	location, ok := d.location(x)
	if !ok {
		return Answer(400, "The request's host cannot be redirected.", x.GRPC)
	}
	return &exchange.Response{Status: d.Status, Header: exchange.Header{{Name: "Location", Value: location}}}
}

func (d *redirect) response(*Exchange, *exchange.Response) {}

// location writes the Location header. It is false for a host that the client
// made up of anything but a host's characters.
func (d *redirect) location(x *Exchange) (string, bool) {
	r := x.Request
	path := x.path
	if d.Path != nil {
		path = d.Path.Apply(path, x.Prefix)
	}
	host := d.Host
	if host == "" {
		host = bracketed(r.Host)
	}
	var b strings.Builder
	if host != "" {
		if !editing.ValidHost(host) {
			return "", false
		}
		scheme, port := d.Origin(r.Scheme, r.Port)
		b.WriteString(scheme)
		b.WriteString("://")
		b.WriteString(host)
		b.WriteString(port)
	}
	writeSafe(&b, path)
	if r.HasQuery {
		b.WriteByte('?')
		writeSafe(&b, r.Query)
	}
	return b.String(), true
}

// bracketed writes an IPv6 address as a URI does.
func bracketed(host string) string {
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		return "[" + host + "]"
	}
	return host
}

// writeSafe escapes what a URI must not hold, for queries that came with it.
func writeSafe(b *strings.Builder, s string) {
	const digits = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c > ' ' && c < 0x7f && c != '#' && c != '"' && c != '<' && c != '>' {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
}
