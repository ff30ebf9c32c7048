package h3

import (
	"net/netip"
	"strconv"
	"strings"
)

// host returns the host of an authority as tables compare it; empty where the
// authority is more or less than a host and its port (RFC 9110, section 7.2).
func host(authority string) string {
	end := strings.IndexByte(authority, ':')
	if strings.HasPrefix(authority, "[") {
		end = strings.IndexByte(authority, ']') + 1
	}
	name, rest := authority, ""
	if end >= 0 {
		name, rest = authority[:end], authority[end:]
	}
	if literal, ok := strings.CutPrefix(name, "["); ok {
		name = strings.TrimSuffix(literal, "]")
		if !validLiteral(name) {
			return ""
		}
	} else if !validName(name) {
		return ""
	}
	if port, hasPort := strings.CutPrefix(rest, ":"); rest != "" && (!hasPort || !validPort(port)) {
		return ""
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// validLiteral says whether what stands in brackets is an IPv6 address.
func validLiteral(name string) bool {
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.Is6() && addr.Zone() == ""
}

func validPort(port string) bool {
	if len(port) < 1 || len(port) > 5 || strings.Trim(port, "0123456789") != "" {
		return false
	}
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil
}

// validName lets through what a name or an IPv4 address is made of. What is in
// the authority goes into redirects and logs.
func validName(name string) bool {
	for i := range len(name) {
		c := name[i]
		isWord := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !isWord && strings.IndexByte("-._%~!$&'()*+,;=", c) < 0 {
			return false
		}
	}
	return name != ""
}

// validQuery refuses what a request line cannot hold, such as the space that
// HTTP/3 lets pass: a backend of HTTP/1.1 would read its own method, target and
// version (RFC 3986, section 3.4).
func validQuery(query string) bool {
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	return true
}
