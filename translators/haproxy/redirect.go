package haproxy

import (
	"cmp"
	"fmt"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/editing"
)

// addRedirect answers with a Location. HAProxy's own redirects keep the host as the
// client wrote it.
func (w *walk) addRedirect(redirect *ir.Redirect) error {
	to, err := editing.ReadRedirect(redirect)
	if err != nil {
		return err
	}
	w.locate(&to)
	if to.Path == nil {
		w.down("http-request set-var(txn.location_path) var(" + varPath + ")")
	} else {
		w.down(edited(to.Path, "http-request set-var-fmt(txn.location_path)")...)
	}
	w.down(
		`http-request set-var-fmt(txn.location_query) "?%[query]" if { query -m found }`,
		"http-request set-var("+varFlag+") str(filter)",
		fmt.Sprintf(`http-request return status %d hdr location "%%[var(txn.location_origin)]%%[var(txn.location_path),%[2]s]%%[var(txn.location_query),%[2]s]"`, to.Status, escaped),
	)
	w.answered = true
	return nil
}

// escaped escapes what a URL must not hold. HAProxy refuses other such octets.
const escaped = `regsub(<,%3C,g),regsub(>,%3E,g),regsub('\x5cx22',%22,g)`

// locate writes scheme, host and port. A client that named no host gets a path
// alone, and one whose host is of anything but a host's characters an error.
func (w *walk) locate(to *editing.Redirect) {
	const origin = "http-request set-var-fmt(txn.location_origin) "
	scheme, port := to.Origin(editing.Scheme(w.port.Protocol), w.reached)
	scheme += "://"
	if host := cmp.Or(to.Host, w.host); host != "" {
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
