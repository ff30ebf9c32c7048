package haproxy

import (
	"maps"
	"slices"

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
	singles     map[Row]*Block
}

func newTree() tree {
	return tree{
		leads: map[leadsKey]*leads{}, hostings: map[*order.Host]*hosting{}, expressions: map[string]*expression{},
		texts: map[string]*Block{}, singles: map[Row]*Block{},
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
