package upstream

import (
	"slices"

	"github.com/sluice-gateway/sluice/ir"
)

// Place is where this proxy runs. Both are empty where that is not known; then
// hints for them are not followed.
type Place struct{ Zone, Node string }

// tier is how near to being chosen an endpoint is. One of a later tier is used
// where none of those before it is left.
type tier int

const (
	// near are the endpoints that are meant for this proxy: all, unless hints say
	// otherwise.
	near tier = iota
	// far are meant for other places. kube-proxy never goes there while an endpoint
	// is near, as it cannot know that none of those answers.
	far
	// draining endpoints are about to end.
	draining
	tiers
)

// preference is which hints are followed: those that hints returns and that name
// place; none where hints is nil.
type preference struct {
	hints func(*ir.Endpoint) []string
	place string
}

// preference decides as kube-proxy does: hints for nodes go before those for
// zones, and hints are followed only if every endpoint that does not drain has
// some, and some lead here.
func (p Place) preference(all []ir.Endpoint) preference {
	for _, one := range []preference{{forNodes, p.Node}, {forZones, p.Zone}} {
		if one.holds(all) {
			return one
		}
	}
	return preference{}
}

func forNodes(e *ir.Endpoint) []string { return e.ForNodes }
func forZones(e *ir.Endpoint) []string { return e.ForZones }

func (p preference) holds(all []ir.Endpoint) bool {
	if p.place == "" {
		return false
	}
	here := false
	for i := range all {
		if all[i].Draining {
			continue
		}
		hints := p.hints(&all[i])
		if len(hints) == 0 {
			return false
		}
		here = here || slices.Contains(hints, p.place)
	}
	return here
}

func (p preference) tier(e *ir.Endpoint) tier {
	switch {
	case e.Draining:
		return draining
	case p.hints == nil || slices.Contains(p.hints(e), p.place):
		return near
	}
	return far
}
