package gatewayapi

import (
	"slices"

	"github.com/sluice-gateway/sluice/operator/resources"
)

// roster is the list of a unit's routes in the two orders that are needed. It
// is kept up rather than made anew: sorting 5,000 routes would cost more than
// translating the one that changed.
type roster struct {
	// members are the keys, ordered; the slice is shared and never changed.
	members []resources.Key
	// byKey are the routes in the order of members; nil where the object of a
	// member has gone since.
	byKey []*routed
	// byAge are the routes in order of precedence.
	byAge []*routed
	// stale are the members whose translation was forgotten.
	stale []resources.Key
}

// update brings the roster up to date, and calls translate for no route but
// those that are new or stale.
func (r *roster) update(members []resources.Key, translate func(resources.Key) *routed) {
	fresh := map[*routed]*routed{}
	for _, key := range r.stale {
		if i, found := slices.BinarySearchFunc(r.members, key, resources.Key.Compare); found && r.byKey[i] != nil {
			fresh[r.byKey[i]] = nil
		}
	}
	r.replaceMembers(members, fresh)
	var added []*routed
	for i, was := range r.byKey {
		if _, again := fresh[was]; was == nil || again {
			r.byKey[i] = translate(r.members[i])
			if was == nil {
				added = append(added, r.byKey[i])
				continue
			}
			fresh[was] = r.byKey[i]
		}
	}
	r.stale = nil
	r.replaceByAge(fresh, added)
}

// replaceMembers puts the new list of members in force. Those that left are
// marked as replaced by nothing; the places of new ones are empty.
func (r *roster) replaceMembers(members []resources.Key, fresh map[*routed]*routed) {
	if len(members) == len(r.members) && (len(members) == 0 || &members[0] == &r.members[0]) {
		return
	}
	byKey := make([]*routed, len(members))
	old := 0
	for i, key := range members {
		for old < len(r.members) && r.members[old].Compare(key) < 0 {
			fresh[r.byKey[old]] = nil
			old++
		}
		if old < len(r.members) && r.members[old] == key {
			byKey[i] = r.byKey[old]
			old++
		}
	}
	for ; old < len(r.members); old++ {
		fresh[r.byKey[old]] = nil
	}
	r.members, r.byKey = members, byKey
}

// replaceByAge puts new routes in the places of those that they replace, and
// keeps the order of precedence.
func (r *roster) replaceByAge(fresh map[*routed]*routed, added []*routed) {
	if len(fresh) == 0 && len(added) == 0 {
		return
	}
	kept := make([]*routed, 0, len(r.byAge)+len(added))
	for _, was := range r.byAge {
		now, replaced := fresh[was]
		switch {
		case !replaced:
			kept = append(kept, was)
		case now == nil:
		case now.age == was.age:
			kept = append(kept, now)
		default:
			added = append(added, now)
		}
	}
	added = slices.DeleteFunc(added, func(now *routed) bool { return now == nil })
	slices.SortFunc(added, byRouteAge)
	r.byAge = mergeByAge(kept, added)
}

func byRouteAge(a, b *routed) int { return byAge(a.age, b.age) }

// mergeByAge puts a few routes among many, both in order.
func mergeByAge(many, few []*routed) []*routed {
	if len(few) == 0 {
		return many
	}
	merged := make([]*routed, 0, len(many)+len(few))
	for _, r := range few {
		at, _ := slices.BinarySearchFunc(many, r, byRouteAge)
		merged = append(append(merged, many[:at]...), r)
		many = many[at:]
	}
	return append(merged, many...)
}
