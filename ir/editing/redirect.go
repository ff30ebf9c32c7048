package editing

import (
	"fmt"
	"strconv"

	"github.com/sluice-gateway/sluice/ir"
)

// Redirect is an ir.Redirect in normal form.
type Redirect struct {
	// Scheme and Host are empty, and Port is 0, for those of the request.
	Scheme, Host string
	Port         uint16
	Status       int
	// Path is nil for that of the request.
	Path *Path
}

// ReadRedirect fills in the default status, 302. Its error begins with the filter and
// the field.
func ReadRedirect(spec *ir.Redirect) (Redirect, error) {
	r := Redirect{Scheme: spec.Scheme, Host: spec.Hostname, Port: spec.Port, Status: spec.Status}
	if r.Status == 0 {
		r.Status = 302
	}
	var err error
	if r.Path, err = ReadPath(spec.Path); err != nil {
		return r, fmt.Errorf("redirect.%w", err)
	}
	switch {
	case r.Scheme != "" && r.Scheme != "http" && r.Scheme != "https":
		return r, fmt.Errorf("redirect.scheme: %q is neither http nor https", r.Scheme)
	case r.Host != "" && !ValidHost(r.Host):
		return r, fmt.Errorf("redirect.hostname: %q is not a hostname", r.Host)
	case r.Status < 300 || r.Status > 399:
		return r, fmt.Errorf("redirect.status: %d is not a redirect", r.Status)
	}
	return r, nil
}

// Origin returns the scheme and the port that a Location shows, as ":8080", for a
// request that came by a scheme to a port. The port is the filter's; without one, that
// of the scheme that the filter names; without that, the request's. A well-known port
// is left out.
func (r *Redirect) Origin(scheme string, reached uint16) (shownScheme, shownPort string) {
	port := r.Port
	if port == 0 {
		port = reached
	}
	if r.Scheme != "" {
		if scheme = r.Scheme; r.Port == 0 {
			port = WellKnown(scheme)
		}
	}
	if port == 0 || port == WellKnown(scheme) {
		return scheme, ""
	}
	return scheme, ":" + strconv.Itoa(int(port))
}

// Scheme is that of the requests to a listener.
func Scheme(p ir.Protocol) string {
	if p == ir.HTTPS {
		return "https"
	}
	return "http"
}

// WellKnown is the port that a scheme implies.
func WellKnown(scheme string) uint16 {
	if scheme == "https" {
		return 443
	}
	return 80
}

// Rewrite is an ir.Rewrite in normal form.
type Rewrite struct {
	// Host is empty, and Path is nil, for those of the request.
	Host string
	Path *Path
}

// ReadRewrite returns an error that begins with the filter and the field.
func ReadRewrite(spec *ir.Rewrite) (Rewrite, error) {
	path, err := ReadPath(spec.Path)
	if err != nil {
		return Rewrite{}, fmt.Errorf("rewrite.%w", err)
	}
	if spec.Hostname != "" && !ValidHost(spec.Hostname) {
		return Rewrite{}, fmt.Errorf("rewrite.hostname: %q is not a hostname", spec.Hostname)
	}
	return Rewrite{Host: spec.Hostname, Path: path}, nil
}
