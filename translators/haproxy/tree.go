package haproxy

import (
	"maps"
	"slices"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// tree is what rows are made of, for the next translation.
type tree struct {
	leads    map[leadsKey]*leads
	hostings map[*order.Host]*hosting
	// byHostname are hostings as rows name them; it is made where any has changed.
	byHostname map[hostnameKey]*hosting
	// expressions are by pattern, texts by name.
	expressions map[string]*expression
	texts       map[string]*Block
	// excess are the rules whose expressions are too much, and why.
	excess  map[*ir.Rule]error
	singles map[Row]*Block
}

// newTree has room for what the last translation had.
func newTree(last *tree) tree {
	return tree{
		leads:       make(map[leadsKey]*leads, len(last.leads)),
		hostings:    make(map[*order.Host]*hosting, len(last.hostings)),
		expressions: make(map[string]*expression, len(last.expressions)),
		excess:      map[*ir.Rule]error{},
		texts:       make(map[string]*Block, len(last.texts)),
		singles:     make(map[Row]*Block, len(last.singles)),
	}
}

// texts are the blocks that rows of others name, by name.
func (c *Config) texts() []*Block {
	all := make([]*Block, 0, len(c.made.texts))
	for _, name := range slices.Sorted(maps.Keys(c.made.texts)) {
		all = append(all, c.made.texts[name])
	}
	return all
}
