package client

import (
	"errors"
	"fmt"
	"sync"

	"github.com/sluice-gateway/sluice/dataplanes/delivery/wire"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/hash"
)

// set is a unit whose parts are all here. It never changes; parts that stay the
// same from set to set stay the same pointers.
type set struct {
	manifest wire.Manifest
	// lists are the sums over the manifest's.
	lists [wire.Kinds]hash.Sum
	key   ir.Secret
	rest  *ir.Proxy
	unit  *ir.Unit
}

// name is what a part is found by. Empty parts of two kinds have one sum.
type name struct {
	kind wire.Kind
	sum  hash.Sum
}

// staged are the parts of a push that has not ended.
type staged struct {
	parts map[name]any
	// wrong is what is objected to in them.
	wrong []ir.Problem
}

// add reads parts. What cannot be read is a problem of the object that it was
// made from, and has a place all the same.
func (s *staged) add(parts []wire.Part, owner ir.Object) {
	if s.parts == nil {
		s.parts = map[name]any{}
	}
	for i := range parts {
		part, err := wire.ReadPart(&parts[i])
		if rest, ok := part.(*ir.Proxy); err == nil && ok && wire.HasLists(rest) {
			err = errors.New("the settings of a unit hold more than settings")
		}
		if err == nil && len(s.parts) >= wire.MaxParts {
			err = fmt.Errorf("a push of more than %d parts", wire.MaxParts)
		}
		if err != nil {
			s.object(wire.OriginOf(part, owner), err)
			continue
		}
		s.parts[name{parts[i].Kind, parts[i].Sum}] = part
	}
}

// object notes a problem, of which a few say enough.
func (s *staged) object(origin ir.Origin, err error) {
	const most = 20
	if len(s.wrong) < most {
		s.wrong = append(s.wrong, ir.Problem{Origin: origin, Message: wire.Brief("The pod cannot take what the operator sent: " + err.Error())})
	}
}

var (
	errLacks = errors.New("a set names a part that was not sent")
	errTotal = errors.New("a set is not what its sum names")
	errOwner = errors.New("a set is another unit's")
	errEdits = errors.New("a set edits a list twice, or none that there is")
)

// next makes the set that a push leads to. The one before stays as it is.
func (s *set) next(push *wire.Push, parts map[name]any) (*set, error) {
	b := builder{set: *s, last: s, parts: parts}
	b.set.manifest.Version, b.set.key = push.Version, push.SessionKey
	b.set.manifest.Lists = make([][]hash.Sum, wire.Kinds)
	copy(b.set.manifest.Lists, s.manifest.Lists)
	if s.unit == nil {
		for kind := range wire.Kinds {
			b.set.lists[kind] = hash.OfList(nil)
		}
	} else {
		b.proxy, b.endpoints = *s.unit.Proxy, s.unit.Endpoints
	}
	for _, edit := range push.Edits {
		if err := b.edit(edit); err != nil {
			return nil, err
		}
	}
	return b.finish(push.Total)
}

// builder is a set in the making.
type builder struct {
	set       set
	last      *set
	parts     map[name]any
	edited    [wire.Kinds]bool
	proxy     ir.Proxy
	endpoints []*ir.Endpoints
}

func (b *builder) edit(e wire.Edit) error {
	if e.Kind >= wire.Kinds || b.edited[e.Kind] {
		return errEdits
	}
	b.edited[e.Kind] = true
	sums, err := wire.Splices(b.last.manifest.List(e.Kind), e.Splices, func(s hash.Sum) (hash.Sum, error) { return s, nil })
	if err != nil {
		return err
	}
	b.set.manifest.Lists[e.Kind], b.set.lists[e.Kind] = sums, hash.OfList(sums)
	switch e.Kind {
	case wire.Rest:
		return b.settings(sums)
	case wire.Listeners:
		b.proxy.Listeners, err = splice(b, b.proxy.Listeners, e)
	case wire.Routes:
		b.proxy.Routes, err = splice(b, b.proxy.Routes, e)
	case wire.Backends:
		b.proxy.Backends, err = splice(b, b.proxy.Backends, e)
	case wire.Certificates:
		b.proxy.Certificates, err = splice(b, b.proxy.Certificates, e)
	case wire.Endpoints:
		b.endpoints, err = splice(b, b.endpoints, e)
	}
	return err
}

func (b *builder) settings(sums []hash.Sum) error {
	if len(sums) != 1 {
		return errEdits
	}
	rest, ok := b.parts[name{wire.Rest, sums[0]}].(*ir.Proxy)
	if !ok {
		return errLacks
	}
	b.set.rest = rest
	return nil
}

// splice edits a list of parts: those that were sent, and those that the last set
// has elsewhere.
func splice[T any](b *builder, list []*T, e wire.Edit) ([]*T, error) {
	// Most edits move nothing, and need no index.
	places := sync.OnceValue(func() map[hash.Sum]int { return indexOf(b.last.manifest.List(e.Kind)) })
	return wire.Splices(list, e.Splices, func(sum hash.Sum) (*T, error) {
		if part, ok := b.parts[name{e.Kind, sum}].(*T); ok {
			return part, nil
		}
		if i, ok := places()[sum]; ok {
			return list[i], nil
		}
		return nil, errLacks
	})
}

func indexOf(sums []hash.Sum) map[hash.Sum]int {
	places := make(map[hash.Sum]int, len(sums))
	for i, sum := range sums {
		places[sum] = i
	}
	return places
}

func (b *builder) finish(total hash.Sum) (*set, error) {
	next := &b.set
	switch {
	case next.rest == nil || next.manifest.Check() != nil:
		return nil, errEdits
	case wire.TotalOf(next.manifest.Version, &next.lists) != total:
		return nil, errTotal
	}
	next.unit = &ir.Unit{Endpoints: b.endpoints}
	if b.last.unit != nil && b.edited == ([wire.Kinds]bool{wire.Endpoints: b.edited[wire.Endpoints]}) {
		next.unit.Proxy = b.last.unit.Proxy
		return next, nil
	}
	proxy := *next.rest
	proxy.Listeners, proxy.Routes, proxy.Backends, proxy.Certificates = b.proxy.Listeners, b.proxy.Routes, b.proxy.Backends, b.proxy.Certificates
	next.unit.Proxy = &proxy
	return next, nil
}
