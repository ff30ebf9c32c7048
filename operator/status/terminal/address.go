package terminal

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/engine"
)

// listening says where a unit's listeners are.
func listening(u *engine.Unit) []string {
	if u.Output.Proxy == nil || !u.Address.IsValid() {
		return nil
	}
	var list []string
	for _, l := range u.Output.Proxy.Listeners {
		if !portExists(u, l) {
			continue
		}
		text := fmt.Sprintf("%s %s%s", l.Protocol, netip.AddrPortFrom(u.Address, uint16(int(l.Port)+u.PortOffset)), http3(u.Output.Proxy, l))
		if !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return list
}

// http3 says whether HTTP/3 is served beside a listener, where it is asked for.
func http3(proxy *ir.Proxy, l *ir.Listener) string {
	if !proxy.Settings.HTTP3.Enabled || l.Protocol != ir.HTTPS || l.Refused != "" {
		return ""
	}
	taken := slices.ContainsFunc(proxy.Listeners, func(other *ir.Listener) bool {
		return other.Protocol == ir.UDP && other.Port == l.Port
	})
	if taken {
		return " (without HTTP/3: a listener of UDP has its port)"
	}
	return " and HTTP/3"
}

// mostHosts is how many hosts of one listener are shown.
const mostHosts = 3

// addressesToTry are URLs that a person can open, a few for each listener.
func addressesToTry(u *engine.Unit) []string {
	if u.Output.Proxy == nil || !u.Address.IsValid() || u.Failure != "" {
		return nil
	}
	var list []string
	for _, l := range u.Output.Proxy.Listeners {
		if l.Protocol != ir.HTTP && l.Protocol != ir.HTTPS || !portExists(u, l) || objected(u, l) {
			continue
		}
		for _, host := range hostsOf(u.Output.Proxy, l) {
			if url := urlOf(u, l, host); !slices.Contains(list, url) {
				list = append(list, url)
			}
		}
	}
	return list
}

// objected reports whether the proxy does not serve a listener: whatever answers
// at its address then is somebody else.
func objected(u *engine.Unit, l *ir.Listener) bool {
	if l.Refused != "" {
		return true
	}
	return u.Outcome != nil && slices.ContainsFunc(u.Outcome.Problems, func(p ir.Problem) bool {
		return p.Origin.Object == l.Key.Owner && p.Origin.Section == l.Key.Section
	})
}

// portExists reports whether the offset leaves a listener a port.
func portExists(u *engine.Unit, l *ir.Listener) bool {
	port := int(l.Port) + u.PortOffset
	return 0 < port && port <= math.MaxUint16
}

func urlOf(u *engine.Unit, l *ir.Listener, host string) string {
	scheme, known := "http", 80
	if l.Protocol == ir.HTTPS {
		scheme, known = "https", 443
	}
	port := int(l.Port) + u.PortOffset
	suffix := ""
	if port != known {
		suffix = fmt.Sprintf(":%d", port)
	}
	address := reachable(u.Address)
	switch {
	case host == "":
		return scheme + "://" + inURL(address) + suffix
	case strings.HasSuffix(host, ".localhost") && address == loopback:
		return scheme + "://" + host + suffix
	default:
		// The name leads elsewhere, or nowhere: curl can be told.
		return fmt.Sprintf("%s://%s%s  (curl --resolve %s:%d:%s)", scheme, host, suffix, host, port, inURL(address))
	}
}

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// reachable is an address that leads to a listener from this machine.
func reachable(a netip.Addr) netip.Addr {
	switch {
	case a.IsUnspecified() && a.Is6():
		return netip.IPv6Loopback()
	case a.IsUnspecified():
		return loopback
	default:
		return a
	}
}

func inURL(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

// hostsOf are hosts that a listener serves something under, an empty one for
// any: those of HTTPRoutes, which answer whoever opens a page, and those of
// GRPCRoutes where there is nothing else.
func hostsOf(proxy *ir.Proxy, l *ir.Listener) []string {
	for _, kind := range []ir.RouteKind{ir.HTTPRoute, ir.GRPCRoute} {
		hosts, attached := hostsOfKind(proxy, l, kind)
		if len(hosts) > 0 {
			return hosts[:min(len(hosts), mostHosts)]
		}
		if attached {
			break
		}
	}
	if strings.HasPrefix(l.Hostname, "*.") {
		return []string{"any" + l.Hostname[1:]}
	}
	return []string{strings.TrimPrefix(l.Hostname, "*")}
}

// hostsOfKind are exact hosts, each once; attached tells of routes that have
// none, too.
func hostsOfKind(proxy *ir.Proxy, l *ir.Listener, kind ir.RouteKind) (hosts []string, attached bool) {
	for _, route := range proxy.Routes {
		if route.Kind != kind {
			continue
		}
		for _, a := range route.Attachments {
			attached = attached || a.Listener == l.Key
		}
		for _, h := range exactHosts(route, l) {
			if !slices.Contains(hosts, h) {
				hosts = append(hosts, h)
			}
		}
		if len(hosts) >= mostHosts {
			break
		}
	}
	return hosts, attached
}

func exactHosts(route *ir.Route, l *ir.Listener) []string {
	var hosts []string
	for _, a := range route.Attachments {
		if a.Listener != l.Key {
			continue
		}
		for _, h := range a.Hostnames {
			if !strings.HasPrefix(h, "*") {
				hosts = append(hosts, h)
			}
		}
	}
	return hosts
}
