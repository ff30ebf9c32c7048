package gatewayapi

import (
	"reflect"
	"slices"

	"github.com/sluice-gateway/sluice/ir"
)

// slots are the backends of a unit. Each route is bound to the slots of its
// backends once, so that finding which are in use needs no look-up.
type slots struct {
	byKey map[ir.BackendKey]*slot
	// used are those of the last round, ordered by key.
	used  []*slot
	round uint64
	// epoch counts how often all routes were bound anew, so that slots that no
	// route needs any more can go.
	epoch uint64
}

// spare is how many unused slots are kept for what comes back.
const spare = 1024

// slot is one backend of a unit.
type slot struct {
	backend   *ir.Backend
	endpoints endpointsID
	// round is the last one in which a route used it; 0 for none.
	round uint64
}

// bind gives a route the slots of its backends. Routes that name one backend
// share it; while its content stays equal, so does its pointer.
func (s *slots) bind(r *routed) {
	r.bound = s.epoch
	r.slots = make([]*slot, len(r.backends))
	for i, backend := range r.backends {
		place := s.byKey[backend.Key]
		if place == nil {
			place = &slot{backend: backend}
			s.byKey[backend.Key] = place
		}
		if !reflect.DeepEqual(place.backend, backend) {
			place.backend = backend
		}
		place.endpoints = r.endpoints[i]
		r.slots[i] = place
	}
}

// collect returns the slots that live routes use, ordered by key.
func (s *slots) collect(routes []*routed) []*slot {
	if s.byKey == nil || len(s.byKey) > 2*len(s.used)+spare {
		s.byKey, s.used, s.epoch = map[ir.BackendKey]*slot{}, nil, s.epoch+1
		// The round before the first is 1, and no slot was used in it.
		s.round = max(s.round, 1)
	}
	// A slot's content is settled before any is read.
	for _, r := range routes {
		if r.bound != s.epoch {
			s.bind(r)
		}
	}
	s.round++
	var fresh []*slot
	for _, r := range routes {
		if r.route == nil {
			continue
		}
		for _, place := range r.slots {
			if place.round != s.round-1 && place.round != s.round {
				fresh = append(fresh, place)
			}
			place.round = s.round
		}
	}
	return s.settle(fresh)
}

// settle keeps the order of those that stay in use and forgets the others.
func (s *slots) settle(fresh []*slot) []*slot {
	used := make([]*slot, 0, len(s.used)+len(fresh))
	for _, place := range s.used {
		if place.round == s.round {
			used = append(used, place)
			continue
		}
		// Routes that are not live may still be bound to it: it then comes back as
		// it is.
		place.round = 0
	}
	if len(fresh) > 0 {
		used = append(used, fresh...)
		slices.SortFunc(used, func(a, b *slot) int { return compareBackendKeys(a.backend.Key, b.backend.Key) })
	}
	s.used = used
	return used
}
