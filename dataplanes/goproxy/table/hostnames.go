package table

import (
	"strings"

	"github.com/sluice-gateway/sluice/ir/order"
)

// hostnames finds what is kept under the hostnames that cover a host, without
// allocating: wildcards are kept by their suffix, and only suffixes of a length
// that occurs are looked for, so that a host of a hundred labels costs no more
// than any other.
type hostnames[T any] struct {
	exact    map[string]T
	suffixes map[string]T
	lengths  lengths
	any      T
	hasAny   bool
}

func newHostnames[T any](n int) hostnames[T] {
	return hostnames[T]{exact: make(map[string]T, n), suffixes: map[string]T{}}
}

// put keeps a value under a hostname. Of two under the same hostname the first
// stays.
func (h *hostnames[T]) put(hostname string, value T) {
	switch {
	case hostname == order.AnyHost:
		if !h.hasAny {
			h.any, h.hasAny = value, true
		}
	case strings.HasPrefix(hostname, "*."):
		putNew(h.suffixes, hostname[1:], value)
		h.lengths.add(len(hostname) - 1)
	default:
		putNew(h.exact, hostname, value)
	}
}

func putNew[T any](m map[string]T, key string, value T) {
	if _, found := m[key]; !found {
		m[key] = value
	}
}

// after is where a look-up of a host goes on: 0 at the beginning.
type after int

// next returns the value under the most specific hostname that covers the host
// and has not been returned yet, and where to go on. It is false at the end.
func (h *hostnames[T]) next(host string, from after) (value T, to after, ok bool) {
	if from == 0 {
		if value, ok = h.exact[host]; ok && host != "" {
			return value, 1, true
		}
		from = 1
	}
	for i := int(from); i < len(host); i++ {
		if host[i] != '.' || !h.lengths.has(len(host)-i) {
			continue
		}
		if value, ok = h.suffixes[host[i:]]; ok {
			return value, after(i + 1), true
		}
	}
	if end := after(len(host) + 1); h.hasAny && from <= end {
		return h.any, end + 1, true
	}
	var none T
	return none, 0, false
}

// first returns the value under the most specific hostname that covers a host.
func (h *hostnames[T]) first(host string) (value T, ok bool) {
	value, _, ok = h.next(host, 0)
	return value, ok
}

// lengths is a set of the lengths that a hostname can have, 1 to 255; what is
// longer is always in it.
type lengths [4]uint64

func (l *lengths) add(n int) {
	if n < 256 {
		l[n/64] |= 1 << (n % 64)
	}
}

func (l *lengths) has(n int) bool {
	return n >= 256 || l[n/64]&(1<<(n%64)) != 0
}
