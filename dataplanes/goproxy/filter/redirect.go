package filter

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

// redirect answers with a Location (HTTPRequestRedirectFilter).
type redirect struct {
	scheme   string
	hostname string
	port     uint16
	status   int
	path     *pathEdit
}

var _ step = (*redirect)(nil)

// compileRedirect fills in the default status, 302.
func compileRedirect(spec *ir.Redirect) (step, error) {
	path, err := compilePath(spec.Path)
	if err != nil {
		return nil, fmt.Errorf("redirect.%w", err)
	}
	if spec.Scheme != "" && spec.Scheme != "http" && spec.Scheme != "https" {
		return nil, fmt.Errorf("redirect.scheme: %q is neither http nor https", spec.Scheme)
	}
	if spec.Hostname != "" && !validHost(spec.Hostname) {
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
		path = d.path.apply(path, x.Prefix)
	}
	host := d.hostname
	if host == "" {
		host = bracketed(r.Host)
	}
	var b strings.Builder
	if host != "" {
		if !validHost(host) {
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

// validHost reports whether a host is a name or an address, so that nothing of
// it can be read as another part of a URI.
func validHost(host string) bool {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		address, closed := strings.CutSuffix(inner, "]")
		parsed, err := netip.ParseAddr(address)
		return closed && err == nil && parsed.Is6() && parsed.Zone() == ""
	}
	for i := 0; i < len(host); i++ {
		c := host[i]
		alphanumeric := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alphanumeric && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return host != ""
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
