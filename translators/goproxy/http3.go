package goproxy

import (
	"slices"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// offerHTTP3 marks the ports that serve HTTP/3: those with a listener of HTTPS
// that can be served, unless a listener of UDP has the number.
func offerHTTP3(ports []*Port) {
	taken := map[uint16]bool{}
	for _, p := range ports {
		if p.Protocol == ir.UDP {
			taken[p.Port] = true
		}
	}
	for _, p := range ports {
		p.HTTP3 = !taken[p.Port] && slices.ContainsFunc(p.Listeners, endsTLS)
	}
}

func endsTLS(l *order.Listener) bool {
	return l.Listener.Protocol == ir.HTTPS && l.Listener.Refused == "" &&
		l.Listener.TLS != nil && l.Listener.TLS.Mode == ir.Terminate
}
