package haproxy

import (
	"fmt"
	"strconv"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/editing"
)

// addRedirect answers with a Location. HAProxy's own redirects keep the host as the
// client wrote it.
func (w *walk) addRedirect(redirect *ir.Redirect) error {
	path, err := editing.ReadPath(redirect.Path)
	if err != nil {
		return fmt.Errorf("redirect.%w", err)
	}
	status := redirect.Status
	if status == 0 {
		status = 302
	}
	switch {
	case redirect.Scheme != "" && redirect.Scheme != "http" && redirect.Scheme != "https":
		return fmt.Errorf("redirect.scheme: %q is neither http nor https", redirect.Scheme)
	case redirect.Hostname != "" && !editing.ValidHost(redirect.Hostname):
		return fmt.Errorf("redirect.hostname: %q is not a hostname", redirect.Hostname)
	case status < 300 || status > 399:
		return fmt.Errorf("redirect.status: %d is not a redirect", status)
	}
	w.locate(redirect)
	if path == nil {
		w.down("http-request set-var(txn.location_path) var(" + varPath + ")")
	} else {
		w.down(edited(path, "http-request set-var-fmt(txn.location_path)")...)
	}
	w.down(
		`http-request set-var-fmt(txn.location_query) "?%[query]" if { query -m found }`,
		"http-request set-var("+varFlag+") str(filter)",
		fmt.Sprintf(`http-request return status %d hdr location "%%[var(txn.location_origin)]%%[var(txn.location_path),%[2]s]%%[var(txn.location_query),%[2]s]"`, status, escaped),
	)
	w.answered = true
	return nil
}

// escaped escapes what a URL must not hold. HAProxy refuses other such octets.
const escaped = `regsub(<,%3C,g),regsub(>,%3E,g),regsub('\x5cx22',%22,g)`

// locate writes scheme, host and port. A client that named no host gets a path
// alone, and one whose host is of anything but a host's characters an error.
func (w *walk) locate(redirect *ir.Redirect) {
	const origin = "http-request set-var-fmt(txn.location_origin) "
	scheme, port := w.origin(redirect)
	host := redirect.Hostname
	if host == "" {
		host = w.host
	}
	if host != "" {
		w.down(origin + format(scheme+host+port))
		return
	}
	const bare = "{ var(" + varHost + ") -m sub : } !{ var(" + varHost + ") -m beg [ }"
	w.down("http-request set-var-fmt(txn.location_host) %[var(" + varHost + ")]")
	w.down("http-request set-var-fmt(txn.location_host) [%[var(" + varHost + ")]] if " + bare)
	const named = "{ var(txn.location_host) -m len gt 0 }"
	w.down(saysIf(reply{badRequest, "The request's host cannot be redirected.", "filter"}, named+" !{ var(txn.location_host) -m reg "+quote(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])$`)+" }")...)
	w.down(origin + quote(scheme+"%[var(txn.location_host)]"+port) + " if " + named)
}

// origin returns scheme and port as a URL has them. The port is the filter's;
// without one, that of the scheme that the filter names; without that, the
// listener's. A well-known port is left out.
func (w *walk) origin(redirect *ir.Redirect) (scheme, port string) {
	name, number := redirect.Scheme, redirect.Port
	if name == "" {
		if name = "http"; w.port.Protocol == ir.HTTPS {
			name = "https"
		}
	}
	if number == 0 {
		if number = w.reached; redirect.Scheme != "" {
			number = wellKnown(name)
		}
	}
	if number != wellKnown(name) {
		port = ":" + strconv.Itoa(int(number))
	}
	return name + "://", port
}

func wellKnown(scheme string) uint16 {
	if scheme == "https" {
		return 443
	}
	return 80
}
