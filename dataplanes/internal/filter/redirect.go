package filter

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/ir/editing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

// redirect answers with a Location (HTTPRequestRedirectFilter).
type redirect struct {
	scheme   string
	hostname string
	port     uint16
	status   int
	path     *editing.Path
}

var _ step = (*redirect)(nil)

// compileRedirect fills in the default status, 302.
func compileRedirect(spec *ir.Redirect) (step, error) {
	path, err := editing.ReadPath(spec.Path)
	if err != nil {
		return nil, fmt.Errorf("redirect.%w", err)
	}
	if spec.Scheme != "" && spec.Scheme != "http" && spec.Scheme != "https" {
		return nil, fmt.Errorf("redirect.scheme: %q is neither http nor https", spec.Scheme)
	}
	if spec.Hostname != "" && !editing.ValidHost(spec.Hostname) {
		return nil, fmt.Errorf("redirect.hostname: %q is not a hostname", spec.Hostname)
	}
	status := spec.Status
	if status == 0 {
		status = 302
	}
	if status < 300 || status > 399 {
		return nil, fmt.Errorf("redirect.status: %d is not a redirect", status)
	}
	return &redirect{scheme: spec.Scheme, hostname: spec.Hostname, port: spec.Port, status: status, path: path}, nil
}

func (d *redirect) request(_ context.Context, x *Exchange) *exchange.Response {
	location, ok := d.location(x)
	if !ok {
		return Answer(400, "The request's host cannot be redirected.", x.GRPC)
	}
	return &exchange.Response{Status: d.status, Header: exchange.Header{{Name: "Location", Value: location}}}
}

func (d *redirect) response(*Exchange, *exchange.Response) {}

// location writes the Location header. It is false for a host that the client
// made up of anything but a host's characters.
func (d *redirect) location(x *Exchange) (string, bool) {
	r := x.Request
	path := x.path
	if d.path != nil {
		path = d.path.Apply(path, x.Prefix)
	}
	host := d.hostname
	if host == "" {
		host = bracketed(r.Host)
	}
	var b strings.Builder
	if host != "" {
		if !editing.ValidHost(host) {
			return "", false
		}
		d.writeOrigin(&b, r, host)
	}
	writeSafe(&b, path)
	if r.HasQuery {
		b.WriteByte('?')
		writeSafe(&b, r.Query)
	}
	return b.String(), true
}

// writeOrigin writes scheme, host and port. The port of a Location is the
// filter's; without one, that of the scheme that the filter names; without that,
// the listener's. A well-known port is left out.
func (d *redirect) writeOrigin(b *strings.Builder, r *exchange.Request, host string) {
	scheme, port := d.scheme, d.port
	if scheme == "" {
		scheme = r.Scheme
	}
	if port == 0 {
		if port = r.Port; d.scheme != "" {
			port = wellKnown(scheme)
		}
	}
	b.WriteString(scheme)
	b.WriteString("://")
	b.WriteString(host)
	if port != 0 && port != wellKnown(scheme) {
		b.WriteByte(':')
		b.WriteString(strconv.Itoa(int(port)))
	}
}

func wellKnown(scheme string) uint16 {
	if scheme == "https" {
		return 443
	}
	return 80
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
