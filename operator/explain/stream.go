package explain

import (
	"fmt"
	"net/http"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// carried says of a request whose connection a listener of TLS takes that nobody
// here reads it.
func (a *Answer) carried(u *ir.Unit, chosen *ir.Listener, host string) {
	a.Status = http.StatusNotFound
	a.Why = fmt.Sprintf("listener %q takes connections of TLS for the host %q, reads no requests on them, and no route takes them", chosen.Key.Section, host)
	for _, s := range order.Streams(u.Proxy) {
		if s.Listener != chosen {
			continue
		}
		for _, h := range s.Hosts {
			if order.MatchHostname(h.Hostname, host) {
				a.Why = fmt.Sprintf("listener %q takes connections of TLS for the host %q and reads no requests on them; %s carries them to its backends",
					chosen.Key.Section, host, name(h.Route.Origin))
				return
			}
		}
	}
}
