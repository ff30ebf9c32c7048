package haproxy

import (
	_ "embed"
	"fmt"

	"github.com/sluice-gateway/sluice/ir/order"
)

var (
	//go:embed lua/automaton.lua
	automatonSource string
	//go:embed lua/decide.lua
	decideSource string
)

const decideScript = "decide.lua"

// decideText is the script that decides what rows cannot.
func decideText() string { return automatonSource + decideSource }

// lookup finds the row of a request, in txn.to: the section that serves it, a bar, the
// rule's tag, a bar, and the length of the path prefix that matched. It reads txn.host
// and txn.path, and txn.at is the row of its host, which says which listener the request
// belongs to (varListener). Each variable costs as much as a header's edit.
//
// A path is looked up as a whole where any is a row, and then by the longest beginning that there is a row
// for; a slash behind both makes segments whole. Every hostname has a row that fits
// all paths, so that finding none means that rows have changed between two look-ups:
// the script then begins again. What the script cannot do, an error or what nobody has
// foreseen, is answered with 500, never by a wrong backend.
func (c *Config) lookup(p *order.Port) []string {
	_, answer := c.answer(notFound), c.answer(internalError)
	lines := append(c.belongs(p, "txn.host", "txn.at"), c.misdirection(p)...)
	lines = append(lines,
		"http-request set-var(txn.to) var(txn.at),field(1,|),concat("+wholePath+",txn.path),map_str("+RoutesMap+") if { var(txn.at),field(3,|) -m sub "+wholePath+" }",
		"http-request set-var(txn.to) var(txn.at),field(1,|),concat("+expressivePath+",txn.path),map_beg("+RoutesMap+") if { var(txn.at),field(3,|) -m sub "+expressivePath+" } !{ var(txn.to) -m found }",
		"http-request set-var(txn.to) var(txn.at),field(1,|),concat("+beginOfPath+",txn.path,/),map_beg("+RoutesMap+") if !{ var(txn.to) -m found }",
		fmt.Sprintf("http-request lua.decide %d if !{ var(txn.to) -m found } || { var(txn.to) -m beg ? }", p.Port),
		"http-request set-var(txn.to) str("+answer+"||) if { var(txn.to) -m beg ? }",
	)
	lines = append(lines, c.stay(p)...)
	return append(lines,
		rolls(),
		"use_backend %[var(txn.to),field(1,|)]",
		"default_backend "+answer,
	)
}

// fewLabels is up to how many labels of wildcards are looked for where there is any
// wildcard, so that a new one is but a row.
const fewLabels = 4

// belongs finds the row of a host, which is in one variable, and puts it into another:
// the most specific hostname that covers it says which listener it belongs to (host.go).
func (c *Config) belongs(p *order.Port, host, into string) []string {
	missing := " if !{ var(" + into + ") -m found }"
	lines := []string{"http-request set-var(" + into + ") str(" + hostKey(p.Port, "") + "),concat(," + host + "),map_str(" + RoutesMap + ")"}
	for _, n := range labels(p) {
		// A label before the first dot there must be, be it of one octet.
		lines = append(lines, fmt.Sprintf("http-request set-var(%s) var(%s),bytes(1),field(2,.,0),field(-1,.,%d),concat(%s),map_str(%s)%s",
			into, host, n, wideSuffix(p.Port), RoutesMap, missing))
	}
	return append(lines, "http-request set-var("+into+") str("+hostKey(p.Port, order.AnyHost)+"),map_str("+RoutesMap+")"+missing)
}
