package upstream

import "github.com/sluice-gateway/sluice/ir/place"

// Place is where this proxy runs.
type Place = place.Place

// tier is how near to being chosen an endpoint is.
type tier = place.Tier

const (
	near     = place.Near
	far      = place.Far
	draining = place.Draining
	tiers    = place.Tiers
)
