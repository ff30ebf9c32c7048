package wire

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/canonical"
	"github.com/sluice-gateway/sluice/ir/hash"
)

// Kind is a kind of part.
type Kind uint8

// The kinds of parts, in the order in which manifests list them. Rest is the
// unit without its lists: there is one.
const (
	Rest Kind = iota
	Listeners
	Routes
	Backends
	Certificates
	Endpoints
	Kinds
)

// String is the kind's name, for people.
func (k Kind) String() string {
	names := [...]string{"settings", "listener", "route", "backend", "certificate", "endpoints"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// ReadPart decodes a part and checks that it is what its sum names. What was
// read of a part before an error is returned with it, to say whose part it is;
// it is of no other use.
func ReadPart(p *Part) (any, error) {
	if len(p.Form) > MaxPart {
		return nil, fmt.Errorf("a %s of %d bytes: at most %d are taken", p.Kind, len(p.Form), MaxPart)
	}
	if hash.OfForm(p.Form) != p.Sum {
		return nil, errors.New("a part's content is not what its sum names")
	}
	switch p.Kind {
	case Rest:
		return readPart[ir.Proxy](p)
	case Listeners:
		return readPart[ir.Listener](p)
	case Routes:
		return readPart[ir.Route](p)
	case Backends:
		return readPart[ir.Backend](p)
	case Certificates:
		return readPart[ir.Certificate](p)
	case Endpoints:
		return readPart[ir.Endpoints](p)
	}
	return nil, fmt.Errorf("there is no %s", p.Kind)
}

func readPart[T any](p *Part) (any, error) {
	// A part is written as a pointer, as hash.Of takes it.
	var into *T
	err := canonical.Decode(p.Form, &into)
	switch {
	case err != nil:
		return into, fmt.Errorf("a %s cannot be read: %w", p.Kind, err)
	case into == nil:
		return into, fmt.Errorf("a %s is absent", p.Kind)
	}
	return into, nil
}

// WritePart encodes a part that ReadPart can read.
func WritePart(kind Kind, sum hash.Sum, part any) Part {
	return Part{Kind: kind, Sum: sum, Form: canonical.Append(nil, part)}
}

// OriginOf says which object a part was made from; its owner's where the part
// does not tell.
func OriginOf(part any, owner ir.Object) ir.Origin {
	switch p := part.(type) {
	case *ir.Listener:
		if p != nil && p.Key.Owner != (ir.Object{}) {
			return ir.Origin{Object: p.Key.Owner, Section: p.Key.Section}
		}
	case *ir.Route:
		if p != nil && p.Origin != (ir.Object{}) {
			return ir.Origin{Object: p.Origin}
		}
	}
	return ir.Origin{Object: owner}
}

// WithoutLists returns the unit's part of kind Rest.
func WithoutLists(p *ir.Proxy) *ir.Proxy {
	rest := *p
	rest.Listeners, rest.Routes, rest.Backends, rest.Certificates = nil, nil, nil, nil
	return &rest
}

// HasLists reports whether a part of kind Rest holds what it must not.
func HasLists(p *ir.Proxy) bool { return !reflect.DeepEqual(*WithoutLists(p), *p) }
