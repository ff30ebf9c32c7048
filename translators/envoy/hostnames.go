package envoy

import (
	"strings"

	"github.com/sluice-gateway/sluice/ir/order"
)

// hostnames keeps values by hostname, and finds those of the hostnames around one
// without writing any down.
type hostnames[T any] struct {
	exact map[string]T
	// wild is by what follows the asterisk: ".example".
	wild map[string]T
	// whole is what is kept under "*".
	whole    T
	hasWhole bool
}

func newHostnames[T any](n int) hostnames[T] {
	return hostnames[T]{exact: make(map[string]T, n), wild: map[string]T{}}
}

// put keeps a value. Of two under one hostname the first stays.
func (h *hostnames[T]) put(hostname string, value T) {
	switch {
	case hostname == order.AnyHost:
		if !h.hasWhole {
			h.whole, h.hasWhole = value, true
		}
	case hostname[0] == '*':
		putNew(h.wild, hostname[1:], value)
	default:
		putNew(h.exact, hostname, value)
	}
}

func putNew[T any](m map[string]T, key string, value T) {
	if _, found := m[key]; !found {
		m[key] = value
	}
}

// at returns what is kept under a hostname itself.
func (h *hostnames[T]) at(hostname string) (value T, ok bool) {
	switch {
	case hostname == order.AnyHost:
		return h.whole, h.hasWhole
	case strings.HasPrefix(hostname, "*"):
		value, ok = h.wild[hostname[1:]]
	default:
		value, ok = h.exact[hostname]
	}
	return value, ok
}

// covering returns what is kept under the most specific hostname that covers the
// host of a request, which is whatever a client sent: nothing, or "*.example".
func (h *hostnames[T]) covering(host string) (value T, ok bool) {
	if value, ok = h.exact[host]; ok {
		return value, true
	}
	for i := 1; i < len(host) && len(h.wild) > 0; i++ {
		if host[i] != '.' {
			continue
		}
		if value, ok = h.wild[host[i:]]; ok {
			return value, true
		}
	}
	return h.whole, h.hasWhole
}

// around adds to a list what is kept under the other hostnames that cover all
// hosts of one, the most specific first: for "a.b.c" they are "*.b.c", "*.c" and
// "*".
func (h *hostnames[T]) around(hostname string, list []T) []T {
	if hostname == order.AnyHost {
		return list
	}
	labels := strings.TrimPrefix(hostname, "*")
	// A host is empty where its client named none.
	for len(h.wild) > 0 && labels != "" {
		next := strings.IndexByte(labels[1:], '.')
		if next < 0 {
			break
		}
		labels = labels[1+next:]
		if value, ok := h.wild[labels]; ok {
			list = append(list, value)
		}
	}
	if h.hasWhole {
		list = append(list, h.whole)
	}
	return list
}

// nearest returns what is kept under the most specific of the hostnames around
// one.
func (h *hostnames[T]) nearest(hostname string) (value T, ok bool) {
	var few [4]T
	if all := h.around(hostname, few[:0]); len(all) > 0 {
		return all[0], true
	}
	return value, false
}
