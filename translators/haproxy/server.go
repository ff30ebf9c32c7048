package haproxy

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/haproxytech/client-native/v5/config-parser/params"
	"github.com/haproxytech/client-native/v5/configuration"

	"github.com/sluice-gateway/sluice/ir"
)

// servers are those of a backend's endpoints.
func servers(e *ir.Endpoints) []Server {
	var all []Server
	if e == nil {
		return nil
	}
	for _, one := range e.Endpoints {
		addr, err := netip.ParseAddr(one.Address)
		if err != nil {
			continue
		}
		at := netip.AddrPortFrom(addr, one.Port)
		all = append(all, Server{Name: serverName(at), Address: at, Weight: 1, Backup: one.Draining})
	}
	slices.SortFunc(all, func(a, b Server) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Line is a server's line in its section, and what follows its name in "add server".
func (p *Pool) Line(s Server) string {
	return "server " + s.Name + " " + p.Options(s)
}

// Options are what follows a server's name.
func (p *Pool) Options(s Server) string {
	with := p.Params
	weight := int64(s.Weight)
	with.Weight = &weight
	if s.Backup {
		with.Backup = "enabled"
	}
	return strings.TrimSpace(p.address(s) + " " + params.ServerOptionsString(configuration.SerializeServerParams(with)))
}
