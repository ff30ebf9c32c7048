package haproxy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
)

// Opening is a socket of the agent's behind which it speaks TLS with one endpoint, and
// verifies the endpoint's certificate as HAProxy cannot. HAProxy speaks with the
// endpoint through it as if there were no TLS.
type Opening struct {
	// Socket is relative to HAProxy's folder.
	Socket  string
	Backend ir.BackendKey
	Address netip.AddrPort
}

// through is what the sockets of a backend's endpoints are named by; empty for one
// whose endpoints HAProxy reaches itself.
func (c *Config) through(key ir.BackendKey) string {
	b := c.made.backends[key]
	if b == nil || b.TLS == nil || b.TLS.Invalid != "" || !beyondHAProxy(b.TLS) {
		return ""
	}
	return digest([]string{fmt.Sprint(key)})
}

// beyondHAProxy says whether HAProxy cannot hold a certificate to the names that it must
// carry: it looks for the one name that it has asked for, and for no other. What
// verifyhost says counts only for connections without a name (ssl_sock_srv_verifycbk).
func beyondHAProxy(t *ir.BackendTLS) bool {
	return len(t.SANs) > 0 && !(len(t.SANs) == 1 && strings.EqualFold(t.SANs[0].DNS, t.Hostname))
}

// socket is where a server of a pool is reached that is reached through the agent. Its
// name is short: with its whole path it has 107 bytes.
func (p *Pool) socket(s Server) string { return "t_" + digest([]string{p.Through, s.Name})[:20] }

// address is where HAProxy connects to a server of a pool.
func (p *Pool) address(s Server) string {
	if p.Through != "" {
		return "unix@" + p.socket(s)
	}
	return s.Address.String()
}

// openings are those of all pools.
func (c *Config) openings() []Opening {
	by := map[string]Opening{}
	for key := range c.made.backends {
		p := c.pool(key)
		if p == nil || p.Through == "" {
			continue
		}
		for _, s := range p.Servers {
			at := p.socket(s)
			by[at] = Opening{Socket: at, Backend: key, Address: s.Address}
		}
	}
	var all []Opening
	for _, o := range by {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b Opening) int { return cmp.Compare(a.Socket, b.Socket) })
	return all
}
