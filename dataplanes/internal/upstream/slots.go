package upstream

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
)

// slotCount is how many slots a consistent hash has: so many that each of 1,000
// endpoints has about 65.
const slotCount = 1 << 16

// mostMembers is how many endpoints can have slots.
const mostMembers = 1<<16 - 1

// slotTable leads a key to an endpoint in one look. Every slot belongs to the
// endpoint that weighs most for it (rendezvous hashing, Thaler and Ravishankar
// 1998), so all proxies lead a key alike, whatever came before; what an endpoint
// that comes or goes moves is its own slots and no others. It never changes.
type slotTable struct {
	members []*endpoint
	seeds   []uint64
	owners  [slotCount]uint16
}

// of returns the endpoint of a key.
func (s *slotTable) of(key uint64) *endpoint { return s.members[s.owners[key%slotCount]] }

// with returns the table of a list of endpoints; nil for none. It looks only at
// what has changed since s, which may be nil: a table of 1,000 endpoints costs
// about a tenth of a second, one endpoint more or less under a millisecond.
func (s *slotTable) with(list []*endpoint) *slotTable {
	if len(list) == 0 {
		return nil
	}
	list = list[:min(len(list), mostMembers)]
	if s != nil && slices.Equal(s.members, list) {
		return s
	}
	made := &slotTable{members: list, seeds: make([]uint64, len(list))}
	places := make(map[*endpoint]int, len(list))
	for i, e := range list {
		made.seeds[i], places[e] = seedOf(e.addr), i
	}
	if s == nil {
		for slot := range made.owners {
			made.owners[slot] = made.heaviest(slot)
		}
		return made
	}
	moved := make([]int, len(s.members))
	for i, e := range s.members {
		place, stays := places[e]
		if moved[i] = place; !stays {
			moved[i] = -1
		}
		delete(places, e)
	}
	made.follow(s, moved, places)
	return made
}

// follow fills the owners in from those of the table before, whose members have
// moved; -1 are gone, and joined are new.
func (s *slotTable) follow(last *slotTable, moved []int, joined map[*endpoint]int) {
	fresh := make([]int, 0, len(joined))
	for _, place := range joined {
		fresh = append(fresh, place)
	}
	for slot := range s.owners {
		owner := moved[last.owners[slot]]
		if owner < 0 {
			s.owners[slot] = s.heaviest(slot)
			continue
		}
		most := weight(s.seeds[owner], slot)
		for _, place := range fresh {
			if w := weight(s.seeds[place], slot); w > most {
				owner, most = place, w
			}
		}
		s.owners[slot] = uint16(owner)
	}
}

func (s *slotTable) heaviest(slot int) uint16 {
	owner, most := 0, uint64(0)
	for i, seed := range s.seeds {
		if w := weight(seed, slot); w > most {
			owner, most = i, w
		}
	}
	return uint16(owner)
}

// weight is what an endpoint weighs for a slot.
func weight(seed uint64, slot int) uint64 {
	high, low := bits.Mul64(seed^uint64(slot)*0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
	return high ^ low
}

// seedOf is an endpoint's own number, the same in every proxy.
func seedOf(addr netip.AddrPort) uint64 {
	ip := addr.Addr().As16()
	return mix(mix(mix(binary.BigEndian.Uint64(ip[:8]))^binary.BigEndian.Uint64(ip[8:])) ^ uint64(addr.Port()))
}

// mix spreads what differs in one bit over all 64 (the finalizer of splitmix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
