package haproxy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/ir/order"
)

// forwarded tells backends who asked and how, and believes no more of what the
// request says about that than it may (ir.ClientIP).
func (c *Config) forwarded(p *order.Port) []string {
	port := strconv.Itoa(int(c.address(p.Port).Port()))
	if c.trustedHops() > 0 {
		return c.believed(scheme(p), port)
	}
	return []string{
		"http-request set-header x-forwarded-for %[src]",
		"http-request set-header x-forwarded-proto " + scheme(p),
		"http-request set-header x-forwarded-host %[req.fhdr(host)]",
		"http-request set-header x-forwarded-port " + port,
		"http-request set-header x-request-id %[uuid]",
	}
}

func (c *Config) trustedHops() int { return max(0, c.unit.Proxy.Settings.ClientIP.TrustedHops) }

// believed keeps what trusted proxies have written: the last entries of
// X-Forwarded-For, and the last of all other fields, as the nearest one wrote it.
func (c *Config) believed(scheme, port string) []string {
	hops := c.trustedHops()
	entry := func(n int) string { return fmt.Sprintf("req.hdr(x-forwarded-for,-%d)", n) }
	lines := []string{
		"http-request lua.entries if { req.fhdr(x-forwarded-for) -m reg '(?:^|,)[ \t]*(?:,|$)' }",
		"http-request set-var(" + varPeer + ") src",
		fmt.Sprintf("http-request set-var(%s) req.hdr_ip(x-forwarded-for,-%d) if { req.hdr_cnt(x-forwarded-for) ge %d }", varPeer, hops, hops),
	}
	for n := hops; n > 0; n-- {
		var list strings.Builder
		for i := n; i > 0; i-- {
			list.WriteString("%[" + entry(i) + "], ")
		}
		compared := "eq"
		if n == hops {
			compared = "ge"
		}
		lines = append(lines, fmt.Sprintf(
			"http-request set-header x-forwarded-for %s if { req.hdr_cnt(x-forwarded-for) %s %d }", `"`+list.String()+`%[src]"`, compared, n))
	}
	lines = append(lines, "http-request set-header x-forwarded-for %[src] if !{ req.hdr(x-forwarded-for) -m found }")
	for _, f := range []struct{ name, own string }{
		{"x-forwarded-proto", scheme},
		{"x-forwarded-host", "%[req.fhdr(host)]"},
		{"x-forwarded-port", port},
	} {
		lines = append(lines, nearest(f.name), fmt.Sprintf("http-request set-header %s %s if !{ req.fhdr(%s) -m len 1:65535 }", f.name, f.own, f.name))
	}
	return append(lines,
		nearest("x-request-id"),
		"http-request set-header x-request-id %[uuid] if !{ req.fhdr(x-request-id) -m reg '^[!-~]{1,128}$' }",
		nearest("forwarded"),
		nearest("x-real-ip"),
	)
}

// nearest keeps the last of several fields of a name.
func nearest(name string) string {
	return fmt.Sprintf("http-request set-header %s %%[req.fhdr(%s)] if { req.fhdr_cnt(%s) gt 1 }", name, name, name)
}
