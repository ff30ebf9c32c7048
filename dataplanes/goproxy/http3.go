package goproxy

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/listen"
	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/unbound"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/h3"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// quic returns who takes the connections of HTTP/3 of a socket, as the settings
// are now.
func (u *unit) quic(g *generation, addr netip.AddrPort) *listen.QUIC {
	config := h3.Config(u.door(g.config.Settings))
	servers := u.servers[addr]
	if servers.h3 == nil {
		servers.h3 = h3.New(config)
	}
	servers.h3.Configure(config)
	return &listen.QUIC{Config: servers.h3.QUIC, Serve: servers.h3.Serve}
}

// bindUDP gives the UDP side of each address to who is to have it: the
// generation's listeners of UDP first, then HTTP/3, whose connections are at
// their end where such a listener takes its address.
func (u *unit) bindUDP(g *generation, ports map[netip.AddrPort]*listen.Port) {
	datagrams := u.wantedDatagrams(g)
	for addr := range datagrams {
		u.sockets.CutQUIC(addr)
	}
	bound := map[netip.AddrPort]*listen.Port{}
	for addr, port := range ports {
		// Where somebody else has the port of TCP, ours is not announced.
		if u.failed[addr] == nil {
			bound[addr] = port
		}
	}
	u.failedQUIC = u.sockets.ApplyQUIC(bound)
	u.bindDatagrams(datagrams)
	u.endHTTP3(g, ports)
	u.announceAll(g)
}

// endHTTP3 lets the connections of HTTP/3 come to an end where it was turned off.
func (u *unit) endHTTP3(g *generation, ports map[netip.AddrPort]*listen.Port) {
	for addr, servers := range u.servers {
		if port := ports[addr]; servers.h3 == nil || port == nil || port.QUIC != nil {
			continue
		}
		ending := &portServers{h3: servers.h3}
		servers.h3 = nil
		u.drain(ending, g.config.Settings.Timeouts.Drain)
	}
}

// announceAll makes the values of Alt-Svc. Only what is bound is announced.
func (u *unit) announceAll(g *generation) {
	all := map[uint16]string{}
	for _, p := range g.config.Ports {
		if addr := g.address(p.Port); p.HTTP3 && u.sockets.ServesQUIC(addr) {
			age := time.Duration(g.config.Settings.HTTP3.AltSvcMaxAge) / time.Second
			all[p.Port] = fmt.Sprintf(`h3=":%d"; ma=%d`, addr.Port(), age)
		}
	}
	if len(all) == 0 {
		u.announced.Store(nil)
		return
	}
	u.announced.Store(&all)
}

// announce tells clients of TLS over TCP about HTTP/3, in the place of what a
// backend has to say of its own: clients cannot reach that. What speaks for the
// connection alone says nothing (RFC 7838, section 6, of 421).
func announce(all map[uint16]string, in exchange.Incoming, r *exchange.Response) {
	const altSvc = "Alt-Svc"
	value := all[in.Conn.Port]
	switch {
	case value == "" || !in.Conn.TLS || r.Tunnel != nil:
	case in.Request.Proto >= 3 || r.Status == http.StatusMisdirectedRequest:
		r.Header.Del(altSvc)
	default:
		r.Header.Set(altSvc, value)
	}
}

// http3Message says why HTTP/3 is not served though it is asked for.
func (u *unit) http3Message(p *order.Port, addr netip.AddrPort) string {
	err := u.failedQUIC[addr]
	switch {
	case err == nil || p.Protocol == ir.UDP:
		return ""
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf("HTTP/3 is not served at port %d, as the UDP port of %s is taken: another program or another Gateway has it; "+
			"stop that program, or turn http3 off. HTTPS over TCP is served", p.Port, addr)
	default:
		return fmt.Sprintf("HTTP/3 is not served at port %d: the UDP port of %s cannot be bound: %v. HTTPS over TCP is served", p.Port, addr, unbound.Cause(err))
	}
}
