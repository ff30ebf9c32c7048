package haproxy

import (
	_ "embed" // The script is a file of its own.
	"strconv"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// owners say which listener of a port a hostname belongs to: the one with the most
// specific hostname that covers it, and no other's routes or certificates serve it.
type owners map[string]*ir.Listener

func ownersOf(p *order.Port) owners {
	all := p.All()
	o := make(owners, len(all))
	for _, l := range all {
		if o[l.Hostname] == nil {
			o[l.Hostname] = l
		}
	}
	return o
}

// of returns the owner of all hosts that a hostname covers but for those that have
// an owner of their own; nil where nobody has them.
func (o owners) of(hostname string) *ir.Listener {
	for name := range order.Chain(hostname) {
		if l := o[name]; l != nil {
			return l
		}
	}
	return nil
}

// ownKey is the row that says that a hostname is a listener's: what the requests for
// a host belong to is looked up by it, the most specific hostname first.
func ownKey(port uint16, hostname string) string {
	return "own|" + strconv.Itoa(int(port)) + "|" + hostname
}

// sniKey is the row that says whose TLS HAProxy has answered a server name with:
// there is one for each name in its list of certificates.
func sniKey(port uint16, name string) string {
	return "sni|" + strconv.Itoa(int(port)) + "|" + name
}

// doorRows are the hostnames of a port's listeners, and what its server names are
// answered with.
func (c *Config) doorRows(p *order.Port) []Row {
	if !speaksTLS(p) {
		return nil
	}
	o := ownersOf(p)
	all := make([]Row, 0, len(o))
	for hostname := range o {
		all = append(all, Row{ownKey(p.Port, hostname), hostname})
	}
	if l := c.made.lists[p]; l != nil {
		all = append(all, l.rows(o)...)
	}
	return all
}

// doorScript finds what listener a host belongs to, and what section a connection is
// led to.
const doorScript = "door.lua"

//go:embed lua/door.lua
var door string

// greeting takes note of what a connection was made with: the server name, and the
// listener that HAProxy has answered for. Its wildcards cover one label alone.
func (c *Config) greeting(p *order.Port) []string {
	if !speaksTLS(p) {
		return nil
	}
	all := []string{"tcp-request session set-var(sess.sni) ssl_fc_sni,lower"}
	direct := overTCP
	if len(p.Streams) > 0 {
		direct = overQUIC
		all = append(all, "tcp-request session set-var(sess.door) so_name if !{ so_name "+overQUIC+" }")
	}
	by := "{ so_name " + direct + " " + overQUIC + " } !{ var(sess.door) -m found }"
	return append(all,
		"tcp-request session set-var(sess.labels) var(sess.sni),field(2,.,0)",
		"tcp-request session set-var(sess.door) str("+sniKey(p.Port, "")+"),concat(,sess.sni),map_str("+RoutesMap+") if "+by,
		"tcp-request session set-var(sess.door) str("+sniKey(p.Port, "*.")+"),concat(,sess.labels),map_str("+RoutesMap+") if "+by,
		"tcp-request session set-var(sess.door) str("+sniKey(p.Port, order.AnyHost)+"),map_str("+RoutesMap+") if "+by,
	)
}

// misdirection answers 421 to requests for hosts of other listeners than the one
// whose handshake was made (GEP-3567), and to those of connections for which HAProxy
// has answered with another listener than the one that the server name belongs to.
//
// Nearly all requests are for the name of their connection, and meet no look-up.
func (c *Config) misdirection(p *order.Port) []string {
	if !speaksTLS(p) {
		return nil
	}
	return append([]string{
		"http-request lua.door " + strconv.Itoa(int(p.Port)) + " if !{ var(" + varHost + "),strcmp(sess.sni) eq 0 } || !{ var(sess.door) -m found }",
	}, saysIf(reply{misdirected, texts[misdirected], "misdirected"}, "{ var(txn.door) -m found }")...)
}
