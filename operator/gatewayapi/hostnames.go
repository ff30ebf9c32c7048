package gatewayapi

import (
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// anyHost is the hostname of what names no host.
const anyHost = "*"

// listenerHostname returns a listener's hostname in the form of the ir.
func listenerHostname(h *gatewayv1.Hostname) string {
	if h == nil || *h == "" {
		return anyHost
	}
	return strings.ToLower(string(*h))
}

// validHostname reports whether a hostname is an RFC 1123 name that may begin
// with a wildcard label, and no IP address.
func validHostname(host string) bool {
	host = strings.ToLower(host)
	if rest, wild := strings.CutPrefix(host, "*."); wild {
		return len(validation.IsDNS1123Subdomain(rest)) == 0
	}
	_, err := netip.ParseAddr(host)
	return err != nil && len(validation.IsDNS1123Subdomain(host)) == 0
}

// covers reports whether every host of "narrow" is one of "wide". A wildcard
// stands for one label or more.
func covers(wide, narrow string) bool {
	switch {
	case wide == anyHost || wide == narrow:
		return true
	case !strings.HasPrefix(wide, "*."):
		return false
	}
	return strings.HasSuffix(strings.TrimPrefix(narrow, "*"), wide[1:]) && narrow != anyHost && len(narrow) > len(wide[1:])
}

// intersect returns the hosts that two hostnames share, as one hostname.
func intersect(a, b string) (string, bool) {
	switch {
	case covers(a, b):
		return b, true
	case covers(b, a):
		return a, true
	}
	return "", false
}

// intersectAll returns what a listener's hostname shares with a route's,
// sorted, each once. A route without hostnames takes the listener's.
func intersectAll(listener string, route []string) []string {
	if len(route) == 0 {
		return []string{listener}
	}
	var shared []string
	for _, host := range route {
		if both, ok := intersect(listener, host); ok {
			shared = append(shared, both)
		}
	}
	slices.Sort(shared)
	return slices.Compact(shared)
}
