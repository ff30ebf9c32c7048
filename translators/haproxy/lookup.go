package haproxy

import (
	_ "embed"
	"strconv"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

//go:embed lua/decide.lua
var decide string

const decideScript = "decide.lua"

// lookup finds the row of a request, in txn.to: the section that serves it, a bar, the
// rule's tag, a bar, and the length of the path prefix that matched, without a slash at
// its end; nothing where the match was no prefix match.
func (c *Config) lookup(p *order.Port) []string {
	port := strconv.Itoa(int(p.Port))
	lines := []string{
		"http-request set-var(txn.at) str(" + port + "),concat(|,txn.host,),map_str(" + RoutesMap + ")",
		"http-request set-var(txn.at) str(" + port + "|*),map_str(" + RoutesMap + ") if !{ var(txn.at) -m found }",
		"http-request set-var(txn.to) str(=),concat(,txn.at,|),concat(,txn.path,),map_str(" + RoutesMap + ") if { var(txn.at) -m found }",
		"http-request set-var(txn.to) str(/),concat(,txn.at,|),concat(,txn.path,/),map_beg(" + RoutesMap + ") if { var(txn.at) -m found } !{ var(txn.to) -m found }",
	}
	lines = append(lines, c.stay(p)...)
	return append(lines,
		"use_backend %[var(txn.to),field(1,|)] if { var(txn.to) -m found }",
		"default_backend "+c.answer(404),
	)
}

// rows are what requests of a port are led by.
func (c *Config) rows(p *order.Port) []Row {
	var all []Row
	for _, l := range p.Listeners {
		for _, h := range l.Hosts {
			at := strconv.Itoa(int(p.Port)) + "|" + h.Hostname
			all = append(all, Row{at, at})
			seen := map[string]bool{}
			for _, e := range h.Entries {
				m := e.Match()
				key, length := "/"+at+"|"+m.Path.Value, strconv.Itoa(len(m.Path.Value))
				if m.Path.Kind == ir.Exact {
					key, length = "="+at+"|"+m.Path.Value, ""
				} else if m.Path.Value != "/" {
					key += "/"
				} else {
					length = "0"
				}
				if !seen[key] {
					seen[key] = true
					all = append(all, Row{key, c.shares(p, e)[0].section + "|" + tag(e.Rule.Origin) + "|" + length})
				}
			}
		}
	}
	return all
}
