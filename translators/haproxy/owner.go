package haproxy

import (
	"strconv"
	"strings"

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

// sniKey is the row that says whose TLS HAProxy has answered a server name with:
// there is one for each name in its list of certificates, and one for all others.
func sniKey(port uint16, name string) string {
	return "sni|" + strconv.Itoa(int(port)) + "|" + name
}

// varDoor is the listener that a connection was made with, as hosts' rows name it.
const varDoor = "sess.door"

// greeting takes note of what a connection was made with: the server name, and the
// listener that HAProxy has answered for. Its wildcards cover one label alone, so
// that a name of more labels is answered for "*" though another listener has it: such
// a connection is closed.
func (c *Config) greeting(p *order.Port) []string {
	if !speaksTLS(p) {
		return nil
	}
	all := []string{"tcp-request session set-var(sess.sni) ssl_fc_sni,lower"}
	direct := overTCP
	if len(p.Streams) > 0 {
		direct = overQUIC
		all = append(all, "tcp-request session set-var("+varDoor+") so_name if !{ so_name "+overQUIC+" }")
	}
	unknown := " if { so_name " + direct + " " + overQUIC + " } !{ var(" + varDoor + ") -m found }"
	look := func(into, key, name string) string {
		return "tcp-request session set-var(" + into + ") str(" + sniKey(p.Port, key) + ")" + name + ",map_str(" + RoutesMap + ")" + unknown
	}
	all = append(all,
		"tcp-request session set-var(sess.labels) var(sess.sni),field(2,.,0)",
		look(varDoor, "", ",concat(,sess.sni)"),
		look(varDoor, "*.", ",concat(,sess.labels)"),
		look("sess.rest", order.AnyHost, ""),
	)
	ofSession := strings.NewReplacer("http-request ", "tcp-request session ", "txn.", "sess.")
	for _, line := range c.belongs(p, "sess.sni", "sess.at") {
		all = append(all, ofSession.Replace(line))
	}
	return append(all,
		"tcp-request session set-var(sess.whose) var(sess.at),field(2,|)",
		"tcp-request session set-var("+varDoor+") var(sess.rest)"+unknown+" { var(sess.rest),strcmp(sess.whose) eq 0 }",
		"tcp-request session reject if !{ var("+varDoor+") -m found }",
	)
}

// misdirection answers 421 to requests for hosts of other listeners than the one
// whose handshake was made (GEP-3567).
func (c *Config) misdirection(p *order.Port) []string {
	if !speaksTLS(p) {
		return nil
	}
	return saysIf(reply{misdirected, texts[misdirected], "misdirected"},
		"{ "+varListener+" -m found } !{ "+varListener+",strcmp("+varDoor+") eq 0 }")
}

// doorRows are what the server names of a port are answered with.
func (c *Config) doorRows(p *order.Port) []*Block {
	var all []*Block
	if l := c.made.lists[p]; l != nil {
		for _, row := range l.rows() {
			all = append(all, c.single(row))
		}
	}
	return all
}
