package engine

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/hash"
)

// version names the content of one unit. It keeps the sums of its parts, so that
// a part that is the same pointer as last time, and so the same, costs nothing:
// of 5,000 routes an edit changes one.
type version struct {
	listeners    sums[ir.Listener]
	routes       sums[ir.Route]
	backends     sums[ir.Backend]
	certificates sums[ir.Certificate]
}

// of returns the name of a unit's content. Equal contents have equal names,
// whatever was asked before.
func (v *version) of(proxy *ir.Proxy) string {
	h := sha256.New()
	write := func(s hash.Sum) { h.Write(s[:]) }
	// What is no part of its own is a unit without parts.
	rest := *proxy
	rest.Listeners, rest.Routes, rest.Backends, rest.Certificates = nil, nil, nil, nil
	write(hash.Of(&rest))
	// The sum over a list ends it, so that no part can pass for one of the next.
	write(v.listeners.of(proxy.Listeners, hash.Of))
	write(v.routes.of(proxy.Routes, hash.Of))
	write(v.backends.of(proxy.Backends, hash.Of))
	write(v.certificates.of(proxy.Certificates, hash.Of))
	return hex.EncodeToString(h.Sum(nil))
}

// sums are those of the parts that were asked for last, in their order.
type sums[T any] struct {
	parts []*T
	sums  []hash.Sum
}

// of returns the sum over a list, and makes those of new parts alone.
func (s *sums[T]) of(parts []*T, sum func(*T) hash.Sum) hash.Sum {
	known := s.finder()
	next := sums[T]{parts: parts, sums: make([]hash.Sum, len(parts))}
	h := sha256.New()
	for i, part := range parts {
		one, ok := known(part)
		if !ok {
			one = sum(part)
		}
		next.sums[i] = one
		h.Write(one[:])
	}
	*s = next
	return hash.Sum(h.Sum(nil))
}

// finder returns what finds the sum of a part: mostly right behind the one found
// before, else by an index, which is not made until it is needed.
func (s *sums[T]) finder() func(*T) (hash.Sum, bool) {
	at := 0
	var index map[*T]int
	return func(part *T) (hash.Sum, bool) {
		for _, next := range []int{at, at + 1} {
			if next < len(s.parts) && s.parts[next] == part {
				at = next + 1
				return s.sums[next], true
			}
		}
		if index == nil {
			index = make(map[*T]int, len(s.parts))
			for i, p := range s.parts {
				index[p] = i
			}
		}
		i, ok := index[part]
		if !ok {
			return hash.Sum{}, false
		}
		at = i + 1
		return s.sums[i], true
	}
}
