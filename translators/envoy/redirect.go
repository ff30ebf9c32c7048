package envoy

import (
	"fmt"
	"strconv"

	"github.com/sluice-gateway/sluice/ir/editing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/sluice-gateway/sluice/ir"
)

// addRedirect answers by a script: Envoy's own redirects keep the port of the
// request's Host, and show ports that schemes imply.
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
	values := w.location(redirect)
	values["status"] = structpb.NewStringValue(strconv.Itoa(status))
	switch {
	case path != nil && path.Full:
		values["full"] = structpb.NewStringValue(path.Value)
	case path != nil:
		values["value"], values["prefix"] = structpb.NewStringValue(path.Value), structpb.NewStringValue(w.prefix())
	}
	w.then("redirect", script("redirect", redirectScript, values))
	w.answered = true
	return nil
}

// location returns scheme, host and port. The port is the filter's; without one,
// that of the scheme that the filter names; without that, the listener's. A
// well-known port is left out.
func (w *walk) location(redirect *ir.Redirect) map[string]*structpb.Value {
	scheme, host, port := redirect.Scheme, redirect.Hostname, redirect.Port
	if scheme == "" {
		if scheme = "http"; w.listener.Protocol == ir.HTTPS {
			scheme = "https"
		}
	}
	if host == "" {
		host = w.host
	}
	if port == 0 {
		if port = w.reached; redirect.Scheme != "" {
			port = wellKnown(scheme)
		}
	}
	shown := ""
	if port != wellKnown(scheme) {
		shown = ":" + strconv.Itoa(int(port))
	}
	return map[string]*structpb.Value{
		"scheme": structpb.NewStringValue(scheme), "host": structpb.NewStringValue(host), "port": structpb.NewStringValue(shown),
	}
}

func wellKnown(scheme string) uint16 {
	if scheme == "https" {
		return 443
	}
	return 80
}
