package order

import (
	"cmp"
	"iter"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
)

// AnyHost is the hostname that matches every host.
const AnyHost = "*"

// CompareHostnames is negative where hostname a is more specific than b: exact
// ones come first, then wildcards, the longer first, then "*". Equals are
// ordered by their text, so that the order is total.
func CompareHostnames(a, b string) int {
	return cmp.Or(
		cmp.Compare(hostRank(a), hostRank(b)),
		cmp.Compare(len(b), len(a)),
		strings.Compare(a, b),
	)
}

// hostRank orders the kinds of hostnames, the more specific first.
func hostRank(hostname string) int {
	switch {
	case hostname == AnyHost:
		return 2
	case strings.HasPrefix(hostname, "*."):
		return 1
	default:
		return 0
	}
}

// MatchHostname reports whether a hostname of the ir covers a host. The host is
// lower case, without port and trailing dot. A wildcard stands for one or more
// labels, never for none.
func MatchHostname(hostname, host string) bool {
	switch hostRank(hostname) {
	case 2:
		return true
	case 1:
		suffix := hostname[1:]
		return len(host) > len(suffix) && strings.HasSuffix(host, suffix)
	default:
		return hostname == host
	}
}

// Chain yields the hostnames that cover a host, the most specific first: for
// "a.b.c" they are "a.b.c", "*.b.c", "*.c" and "*". A host is empty where the
// client named none; only "*" covers it.
func Chain(host string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if host != "" && !yield(host) {
			return
		}
		for i := 1; i < len(host); i++ {
			if host[i] == '.' && !yield("*"+host[i:]) {
				return
			}
		}
		yield(AnyHost)
	}
}

// Select returns the listener, among those of one port, that a host belongs to:
// the one with the most specific hostname that covers it (Gateway.spec.listeners).
// It is nil where none does; the request is then served by nobody, and never by
// a listener that is less isolated. It may be a refused one, which serves nothing.
func Select(listeners []*ir.Listener, host string) *ir.Listener {
	var best *ir.Listener
	for _, l := range listeners {
		if !MatchHostname(l.Hostname, host) {
			continue
		}
		if best == nil || CompareHostnames(l.Hostname, best.Hostname) < 0 {
			best = l
		}
	}
	return best
}
