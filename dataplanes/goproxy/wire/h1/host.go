package h1

import (
	"net/netip"
	"strings"
)

// mostHost is the longest name in the DNS, with a dot at its end.
const mostHost = 254

// splitAuthority splits an authority into its host, as it was written, and its
// port, which is empty where there is none. It takes what can be a name or an
// address: neither userinfo nor escapes (RFC 9110, section 4.2.4), and no empty
// port.
func splitAuthority(authority string) (host, port string, err error) {
	host = authority
	bracket := strings.IndexByte(authority, ']')
	if colon := strings.LastIndexByte(authority, ':'); colon > bracket {
		host, port = authority[:colon], authority[colon+1:]
		if !validPort(port) {
			return "", "", errHost
		}
	}
	if !validHost(host) {
		return "", "", errHost
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
	return host[0] != '.' && all(host, inHost) && !strings.Contains(host, "..")
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

// canonicalHost returns a host as it is compared: lower case, without one dot at
// its end, and an address without its brackets. It allocates only for a host in
// upper case.
func canonicalHost(host string) string {
	if host[0] == '[' {
		host = host[1 : len(host)-1]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// sameAuthority reports whether two authorities are one origin under a scheme.
func sameAuthority(a, b, scheme string) bool {
	if a == b {
		return true
	}
	hostA, portA, errA := splitAuthority(a)
	hostB, portB, errB := splitAuthority(b)
	return errA == nil && errB == nil && canonicalHost(hostA) == canonicalHost(hostB) &&
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
