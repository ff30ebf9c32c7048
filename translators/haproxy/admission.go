package haproxy

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

//go:embed lua/admit.lua
var admit string

const admitScript = "admit.lua"

// admission is what every request meets before its rule is looked for: what is
// malformed or too much is refused, its host and path are read, and backends are told
// who asks.
//
// Every request pays for each line, so that one condition tells those of which
// anything is odd, and a script has a closer look at them.
func (c *Config) admission(p *order.Port) []string {
	return slices.Concat(
		[]string{"http-request set-var(" + varGRPC + ") bool(true) if { req.hdr(content-type) -m reg -i '^application/grpc(?:[+; ].*)?$' }"},
		c.boundedRequests(),
		c.boundedHeads(),
		[]string{
			"http-request set-var(" + varHost + ") req.hdr(host),host_only",
			"http-request set-var(" + varOdd + ") bool(true) if " + strings.Join([]string{oddMethod, oddHost, oddTarget, oddScheme, oddPath, oddNames}, " || "),
			"http-request lua.admit " + strings.Join([]string{c.slashes(), c.trailName(), strconv.Itoa(c.trustedHops()), scheme(p)}, " ") + " if " + isOdd,
		},
		// HAProxy goes on behind a script that has failed.
		saysIf(reply{status: internalError, text: texts[internalError], flag: "refused_rule"}, isOdd),
		[]string{"http-request set-var(" + varPath + ") path"},
		c.forwarded(p),
		c.remembered(),
	)
}

const (
	// varOdd is true from where something is found odd until the script has let it pass.
	varOdd = "txn.odd"
	isOdd  = "{ var(" + varOdd + ") -m bool }"
)

// The conditions tell what is odd. They may take for odd what is not, and never the
// other way around.
const (
	oddMethod = "!{ method GET HEAD POST PUT PATCH DELETE OPTIONS }"
	// oddHost is any but a name with an optional port.
	oddHost = `!{ req.hdr(host) -m reg -i '^(?!.{255})[a-z0-9_~-]+(?:\.[a-z0-9_~-]+)*+(?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}))?$' }`
	// oddTarget is one in the form for proxies. All of HTTP/2 have it here.
	oddTarget = "{ fc_http_major 1 } !{ url -m beg / }"
	// oddScheme is any that is not HTTP's: HAProxy does not make a path of such a target.
	oddScheme = "!{ url -m beg / http:// https:// }"
	// oddPath is any but one in the normal form of package requestpath. Segments that
	// begin with a dot are odd.
	oddPath = `!{ path -m reg '^(?:/(?!\.)(?:[!$&-\-.0-;=@-Z_a-z~]|%(?:2[0-9A-C]|3[A-F]|40|5[BDE]|60|7[B-D]|[89A-F][0-9A-F]))++)*+/?$' }`
	// oddNames are fields that end here or that could be taken for others.
	oddNames = `{ req.hdr_names -m reg '(?:^|,)(?:connection|expect|proxy|forwarded|x-real-ip|cdn-loop|http2-settings|keep-alive|sluice-)|[_.]' }`
)

// scheme is how clients speak with a port.
func scheme(p *order.Port) string {
	if p.Protocol == ir.HTTPS {
		return "https"
	}
	return "http"
}

// slashes says what becomes of encoded slashes, as the script reads it.
func (c *Config) slashes() string {
	if c.unit.Proxy.Settings.Path.KeepEncodedSlashes {
		return "keep"
	}
	return "reject"
}

// trailName is the unit's trail as the script reads it.
func (c *Config) trailName() string {
	if c.target.Trail == "" {
		return "-"
	}
	return quote(c.target.Trail)
}

// mark leaves the unit's trail on what is sent to a backend, behind all filters,
// which cannot take it off (RFC 8586).
func (c *Config) mark() []string {
	if c.target.Trail == "" {
		return nil
	}
	return []string{"http-request add-header cdn-loop " + format(c.target.Trail)}
}
