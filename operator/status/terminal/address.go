package terminal

import (
	"fmt"
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
		text := fmt.Sprintf("%s %s", l.Protocol, netip.AddrPortFrom(u.Address, uint16(int(l.Port)+u.PortOffset)))
		if !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return list
}

// addressesToTry are URLs that a person can open, one for each listener.
func addressesToTry(u *engine.Unit) []string {
	if u.Output.Proxy == nil || !u.Address.IsValid() {
		return nil
	}
	var list []string
	for _, l := range u.Output.Proxy.Listeners {
		if l.Protocol != ir.HTTP && l.Protocol != ir.HTTPS {
			continue
		}
		if url := urlOf(u, l); !slices.Contains(list, url) {
			list = append(list, url)
		}
	}
	return list
}

func urlOf(u *engine.Unit, l *ir.Listener) string {
	scheme, known := "http", 80
	if l.Protocol == ir.HTTPS {
		scheme, known = "https", 443
	}
	port := int(l.Port) + u.PortOffset
	suffix := ""
	if port != known {
		suffix = fmt.Sprintf(":%d", port)
	}
	host := hostOf(u.Output.Proxy, l)
	address := hostText(u.Address)
	switch {
	case host == "":
		return scheme + "://" + address + suffix
	case strings.HasSuffix(host, ".localhost") && u.Address == netip.AddrFrom4([4]byte{127, 0, 0, 1}):
		return scheme + "://" + host + suffix
	default:
		// The name leads elsewhere, or nowhere: curl can be told.
		return fmt.Sprintf("%s://%s%s  (curl --resolve %s:%d:%s)", scheme, host, suffix, host, port, address)
	}
}

func hostText(a netip.Addr) string {
	switch {
	case a.IsUnspecified():
		return "localhost"
	case a.Is6():
		return "[" + a.String() + "]"
	default:
		return a.String()
	}
}

// hostOf is a host that a listener serves something under; empty for any.
func hostOf(proxy *ir.Proxy, l *ir.Listener) string {
	for _, route := range proxy.Routes {
		for _, a := range route.Attachments {
			if a.Listener != l.Key {
				continue
			}
			for _, h := range a.Hostnames {
				if !strings.HasPrefix(h, "*") {
					return h
				}
			}
		}
	}
	if strings.HasPrefix(l.Hostname, "*.") {
		return "any" + l.Hostname[1:]
	}
	return strings.TrimPrefix(l.Hostname, "*")
}
