package haproxy

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/haproxytech/client-native/v5/models"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

//go:embed lua/stream.lua
var streamSource string

// streamScript finds what section a connection is led to.
const streamScript = "stream.lua"

// mostStreamConnects bounds how many more endpoints a stream looks for a connection
// at.
const mostStreamConnects = 5

// nobody is the row of a hostname whose connections are refused: it keeps them from
// a wider one.
const nobody = "-"

// streamKey is the row of what takes the connections of a port: those of TCP, or of
// TLS by the server name.
func streamKey(port uint16, hostname string) string { return streamRowsOf(port) + hostname }

func streamRowsOf(port uint16) string { return "tcp|" + strconv.Itoa(int(port)) + "|" }

// endedKey is the row of what takes a connection whose TLS a listener has ended.
func endedKey(l *ir.Listener, hostname string) string {
	return endedRowsOf(l.Port) + listenerName(l.Key) + "|" + hostname
}

func endedRowsOf(port uint16) string { return "ended|" + strconv.Itoa(int(port)) + "|" }

// streamFrontends take the connections of a port that has listeners of TCP or TLS.
//
// One of TLS reads the server name off the hello and leaves it where it is. Streams
// that are passed on go to their backends; those that end here go through a socket
// inside to the frontend that ends them, one for requests and one for streams.
func (c *Config) streamFrontends(p *order.Port) []*Section {
	if !speaksTLS(p) {
		return []*Section{c.streamFrontend(p, slices.Concat(
			[]string{"tcp-request content set-var(txn.to) str(" + streamKey(p.Port, order.AnyHost) + "),map_str(" + RoutesMap + ")"},
			[]string{"tcp-request content lua.stream " + streamRowsOf(p.Port) + " bytes if { var(txn.to) -m beg % }"},
			led(),
		))}
	}
	all := []*Section{c.streamFrontend(p, append(hello(p.Port), lead))}
	var web, ended []string
	for _, l := range p.All() {
		switch {
		case !endsTLS(l) || c.closes(l):
		case l.Protocol == ir.HTTPS:
			web = append(web, c.innerBind(l))
		default:
			ended = append(ended, c.innerBind(l))
		}
	}
	if len(web) > 0 {
		all = append(all, c.requestFrontend(p, portName(p.Port)+"_https", append(web, c.quicBinds(p)...)))
	}
	if len(ended) > 0 {
		all = append(all, c.endedFrontend(p, ended))
	}
	return all
}

// streamFrontend is the port's own.
func (c *Config) streamFrontend(p *order.Port, rules []string) *Section {
	return &Section{Kind: "frontend", Name: portName(p.Port), Lines: slices.Concat(
		[]string{"mode tcp", c.tcpBind(p.Port, models.BindParams{}), c.patience(p), "timeout client " + c.streamIdle()},
		logged(LogOfStream),
		c.entering(p), rules,
	)}
}

// hello waits for a client's hello, and asks whose its server name is. What is no
// TLS is refused by its first byte.
func hello(port uint16) []string {
	return []string{
		"tcp-request inspect-delay " + milliseconds(handshakeTimeout),
		"tcp-request content reject if { req.payload(0,1) -m found } !{ req.payload(0,1) -m bin 16 }",
		"tcp-request content lua.stream " + streamRowsOf(port) + " hello",
		"tcp-request content accept if { var(" + varTo + ") -m found }",
		"tcp-request content reject if { var(txn.asked) -m found } || WAIT_END",
	}
}

// lead leads a connection to its section.
const lead = "use_backend %[var(" + varTo + "),field(1,|)]"

// led refuses connections that have none.
func led() []string {
	return []string{"tcp-request content reject if !{ var(" + varTo + ") -m found }", lead}
}

// endedFrontend ends the TLS of streams.
func (c *Config) endedFrontend(p *order.Port, binds []string) *Section {
	return &Section{Kind: "frontend", Name: portName(p.Port) + "_tls", Lines: slices.Concat(
		[]string{"mode tcp"}, binds, logged(LogOfStream),
		[]string{
			c.patience(p), "timeout client " + c.streamIdle(),
			"tcp-request content lua.stream " + endedRowsOf(p.Port) + " handshake",
		},
		led(),
	)}
}

// innerName names the socket inside of a listener, the section that leads there, and
// its list of certificates.
func innerName(l *ir.Listener) string {
	return portName(l.Port) + "_" + digest([]string{l.Hostname})
}

// innerBind is a listener's socket inside. It is nobody else's, so that what the
// listener demands holds for all who come by it. Who comes is said before.
func (c *Config) innerBind(l *ir.Listener) string {
	with := c.tlsParams(c.wholeList(l))
	with.Name, with.Mode, with.AcceptProxy = listenerName(l.Key), "600", true
	if l.Protocol == ir.TLS {
		// What a stream's backend speaks is not known here.
		with.Alpn, with.NoAlpn = "", true
	}
	return bind("unix@"+innerName(l)+".sock", with)
}

// inner makes the section that leads to a listener's socket inside.
func (c *Config) inner(l *ir.Listener) string {
	return c.keep(innerName(l), originOf(l), func(name string) *Section {
		// Who is inside says when a connection has been idle for too long.
		lines := append([]string{"mode tcp"}, unbounded()...)
		return &Section{Kind: "backend", Name: name, Lines: append(lines, "server inner unix@"+name+".sock send-proxy-v2")}
	})
}

// streamIdle is for how long a stream may be without a byte.
func (c *Config) streamIdle() string {
	return milliseconds(time.Duration(c.unit.Proxy.Settings.Timeouts.StreamIdle))
}

// streamRows are what connections of a port are led by.
func (c *Config) streamRows(p *order.Port) []*Block {
	if p.Protocol == ir.UDP || len(p.Streams) == 0 {
		return nil
	}
	o := ownersOf(p)
	by := map[string]string{}
	for _, l := range p.Listeners {
		by[streamKey(p.Port, l.Listener.Hostname)] = c.whole(l.Listener)
	}
	for _, s := range p.Streams {
		ends := s.Listener.Protocol == ir.TLS && endsTLS(s.Listener)
		if ends {
			by[streamKey(p.Port, s.Listener.Hostname)] = c.whole(s.Listener)
		} else if own := streamKey(p.Port, s.Listener.Hostname); by[own] == "" {
			by[own] = nobody
		}
		for _, h := range s.Hosts {
			key := streamKey(p.Port, h.Hostname)
			if ends {
				key = endedKey(s.Listener, h.Hostname)
			}
			if ends || s.Listener.Protocol != ir.TLS || o.of(h.Hostname) == s.Listener {
				by[key] = c.streamShares(s.Listener, h)
			}
		}
	}
	all := make([]*Block, 0, len(by))
	for key, value := range by {
		all = append(all, c.single(Row{key, value}))
	}
	return all
}

// whole is the row of a listener whose TLS ends here.
func (c *Config) whole(l *ir.Listener) string {
	if !endsTLS(l) || c.closes(l) {
		return nobody
	}
	return c.inner(l) + "|"
}

// streamShares is the row of a hostname: the section of its backend, or several by
// weight.
func (c *Config) streamShares(l *ir.Listener, h *order.StreamHost) string {
	uses := streamUses(h.Rule)
	switch len(uses) {
	case 0:
		return nobody
	case 1:
		return c.streamSection(l, h.Rule, uses[0])
	}
	total := 0
	var b strings.Builder
	for _, use := range uses {
		total += use.Weight
		_, _ = fmt.Fprintf(&b, ";%d:%s", use.Weight, c.streamSection(l, h.Rule, use))
	}
	return "%" + strconv.Itoa(total) + b.String()
}

// streamUses are the backends that take traffic; none of a rule that is not there or
// refused.
func streamUses(rule *ir.Rule) []*ir.BackendUse {
	if rule == nil || rule.Refused != "" {
		return nil
	}
	return weighed(rule)
}

// streamSection returns what a row says of a backend's share of connections, and
// makes its section. That of a backend that is none is refused.
func (c *Config) streamSection(l *ir.Listener, rule *ir.Rule, use *ir.BackendUse) string {
	if use.Backend == nil {
		return nobody
	}
	u := c.upstream(*use.Backend)
	lines := slices.Concat([]string{"mode tcp"}, u.lines, []string{
		"timeout server " + c.streamIdle(), "timeout tunnel " + c.streamIdle(), "retries " + strconv.Itoa(mostStreamConnects),
	})
	name := u.section(append(lines[:len(lines):len(lines)], string(l.SendProxyProtocol)))
	return c.keep(name, rule.Origin, func(name string) *Section {
		return &Section{Kind: "backend", Name: name, Lines: lines, Pool: greeted(c.pool(*use.Backend), l.SendProxyProtocol)}
	}) + "|" + Tag(rule.Origin) + "|" + listenerName(l.Key)
}

// greeted has servers get a PROXY header first.
func greeted(p *Pool, version ir.ProxyProtocolVersion) *Pool {
	if p == nil || version == "" {
		return p
	}
	with := *p
	with.Params.CheckSendProxy = models.ServerParamsCheckSendProxyEnabled
	if version == ir.ProxyProtocolV1 {
		with.Params.SendProxy = models.ServerParamsSendProxyEnabled
	} else {
		with.Params.SendProxyV2 = models.ServerParamsSendProxyV2Enabled
	}
	with.says = wordsOf(with.Params) + strings.TrimPrefix(p.says, wordsOf(p.Params))
	return &with
}
