package field

import (
	"errors"
	"net/netip"
	"strings"
)

// ErrHost says that an authority is more or less than a host and its port.
var ErrHost = errors.New("the authority is not a host with an optional port")

// mostHost is the longest name in the DNS, with a dot at its end.
const mostHost = 254

// SplitAuthority splits an authority into its host, as it was written, and its
// port, which is empty where there is none. It takes what can be a name or an
// address: neither userinfo nor escapes (RFC 9110, section 4.2.4), and no empty
// port.
func SplitAuthority(authority string) (host, port string, err error) {
	host = authority
	bracket := strings.IndexByte(authority, ']')
	if colon := strings.LastIndexByte(authority, ':'); colon > bracket {
		host, port = authority[:colon], authority[colon+1:]
		if !validPort(port) {
			return "", "", ErrHost
		}
	}
	if !validHost(host) {
		return "", "", ErrHost
	}
	return host, port, nil
}

func validPort(port string) bool {
	if port == "" || len(port) > 5 {
		return false
	}
	n := 0
	for i := 0; i < len(port); i++ {
		if port[i] < '0' || port[i] > '9' {
			return false
		}
		n = n*10 + int(port[i]-'0')
	}
	return n > 0 && n <= 65535
}

func validHost(host string) bool {
	if host == "" || len(host) > mostHost {
		return false
	}
	if host[0] == '[' {
		return validLiteral(host)
	}
	return host[0] != '.' && All(host, inHost) && !strings.Contains(host, "..")
}

// validLiteral takes an IPv6 address in brackets, without a zone (RFC 3986,
// section 3.2.2).
func validLiteral(host string) bool {
	if host[len(host)-1] != ']' {
		return false
	}
	addr, err := netip.ParseAddr(host[1 : len(host)-1])
	return err == nil && addr.Is6() && addr.Zone() == ""
}

// CanonicalHost returns a host as it is compared: lower case, without one dot at
// its end, and an address without its brackets. It allocates only for a host in
// upper case.
func CanonicalHost(host string) string {
	if host[0] == '[' {
		host = host[1 : len(host)-1]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// SameAuthority reports whether two authorities are one origin under a scheme.
func SameAuthority(a, b, scheme string) bool {
	if a == b {
		return true
	}
	hostA, portA, errA := SplitAuthority(a)
	hostB, portB, errB := SplitAuthority(b)
	return errA == nil && errB == nil && CanonicalHost(hostA) == CanonicalHost(hostB) &&
		portOf(portA, scheme) == portOf(portB, scheme)
}

func portOf(port, scheme string) string {
	switch {
	case port != "":
		return strings.TrimLeft(port, "0")
	case scheme == "https":
		return "443"
	default:
		return "80"
	}
}
