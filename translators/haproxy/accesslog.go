package haproxy

import (
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// LogSocket is the agent's, in HAProxy's folder: it takes a line for each request and
// each stream that has ended. HAProxy keeps lines in a ring while nobody reads them,
// and loses the oldest, so that it never waits.
const LogSocket = "log.sock"

// The bounds of the ring, in bytes: of one line, and of all that nobody has read.
const (
	longestLogLine = "65535"
	ringSize       = "4194304"
	// Escapes make two octets of one, at most.
	longestPath, longestUserAgent = "16384", "8192"
)

const ringName = "log"

func ring() *Section {
	return &Section{Kind: "ring", Name: ringName, Lines: []string{
		"format raw", "maxlen " + longestLogLine, "size " + ringSize, "timeout connect 1s", "timeout server 1d", "server agent unix@" + LogSocket,
	}}
}

// LogField is a value of a line, by its place.
type LogField int

// The values of a line. Those that a line has nothing for are empty.
const (
	// LogKind is LogOfRequest or LogOfStream.
	LogKind LogField = iota
	// LogTime is when it began, in microseconds since 1970.
	LogTime
	// LogDoor is the frontend.
	LogDoor
	// LogPeer is the client as far as trusted hops tell; LogClient who connected.
	LogPeer
	LogClient
	LogMethod
	LogHost
	LogPath
	// LogProtocol is "2" for HTTP/2: what the connection speaks, and not what a request
	// of HTTP/1 says of itself, which may be any number.
	LogProtocol
	LogStatus
	// LogBytes were sent to the client, the header of a response included;
	// LogBytesIn came from it.
	LogBytes
	LogBytesIn
	// LogMillis is how long it took.
	LogMillis
	// LogListener is the listener's name, LogTo the row that has led it.
	LogListener
	LogTo
	// LogServer is the server that it was led to, LogServed section, server and further
	// tries behind a detour.
	LogServer
	LogServed
	// LogRetries is how many tries there were after the first.
	LogRetries
	// LogEnd is HAProxy's two letters for how it ended ("Session state at
	// disconnection").
	LogEnd
	// LogFlag is why a rule of ours answered.
	LogFlag
	// LogTLS is an error of TLS with the server, a number.
	LogTLS
	LogRequestID
	LogUserAgent
	// LogFields is their number.
	LogFields
)

// The kinds of lines.
const (
	LogOfRequest = "request"
	LogOfStream  = "stream"
)

const (
	// varListener is the listener's name, as the row of a request's host has it.
	varListener  = "var(txn.at),field(2,|)"
	varRequestID = "txn.id"
	varUserAgent = "txn.agent"
	// varServerName is the server name that a client has asked for.
	varServerName = "txn.name"
)

// logExpressions are what HAProxy writes for each value, in their order. What the
// request held is not there any more when the line is written.
func logExpressions(kind string) [LogFields]string {
	all := [LogFields]string{
		LogKind: "[str(" + kind + ")]", LogTime: "[request_date(us)]", LogDoor: "ft",
		LogPeer: "[var(" + varPeer + ")]", LogClient: "[src]", LogMethod: "[method]", LogHost: "[var(" + varHost + ")]",
		LogPath: "[var(" + varPath + "),bytes(0," + longestPath + ")]", LogProtocol: "[fc_http_major]", LogStatus: "ST", LogBytes: "B", LogBytesIn: "U", LogMillis: "Ta",
		LogListener: "[" + varListener + "]", LogTo: "[var(" + varTo + ")]", LogServer: "[srv_name]", LogServed: "[var(" + varServed + ")]",
		LogRetries: "rc", LogEnd: "ts", LogFlag: "[var(" + varFlag + ")]", LogTLS: "[ssl_bc_err]",
		LogRequestID: "[var(" + varRequestID + ")]", LogUserAgent: "[var(" + varUserAgent + ")]",
	}
	if kind == LogOfStream {
		all[LogTime], all[LogMillis] = "[accept_date(us)]", "Tt"
		all[LogMethod], all[LogProtocol], all[LogStatus], all[LogPath] = "[str()]", "[str()]", "[str()]", "[str()]"
		all[LogHost] = "[var(" + varServerName + ")]"
	}
	return all
}

// LogName is how a line names each of its values, so that a reader can do without
// looking.
const LogName = "v"

// logged has lines of a kind written. The option keeps connections out of it that
// nothing came by.
func logged(kind string) []string {
	var b strings.Builder
	b.WriteString(`log-format "%{+json}o`)
	for _, expression := range logExpressions(kind) {
		b.WriteString(" %(" + LogName + ")" + expression)
	}
	b.WriteByte('"')
	lines := []string{"log ring@" + ringName + " len " + longestLogLine + " format raw local0", b.String()}
	if kind == LogOfRequest {
		lines = append(lines, "option dontlognull")
	}
	return lines
}

// remembered keeps for the log what a request will not hold at its end.
func (c *Config) remembered() []string {
	if !c.unit.Proxy.Settings.AccessLog.Enabled {
		return nil
	}
	return []string{
		"http-request set-var(" + varRequestID + ") req.fhdr(x-request-id)",
		"http-request set-var(" + varUserAgent + ") req.fhdr(user-agent),bytes(0," + longestUserAgent + ")",
	}
}

// Logs reports whether the access log is to be written.
func (c *Config) Logs() bool { return c.unit.Proxy.Settings.AccessLog.Enabled }

// Labels are the names of listeners and routes as metrics have them.
func (c *Config) Labels() (listeners, routes map[string]bool) {
	listeners, routes = map[string]bool{}, map[string]bool{}
	for _, l := range c.unit.Proxy.Listeners {
		listeners[listenerName(l.Key)] = true
	}
	for _, r := range c.unit.Proxy.Routes {
		routes[routeName(r.Origin)] = true
	}
	return listeners, routes
}

func routeName(o ir.Object) string { return o.Kind + "/" + o.Namespace + "/" + o.Name }

// Taker returns the listener that a stream belongs to, which has come in by a frontend
// and has asked for a server name, and its protocol. It is for streams that no row has
// led.
func (c *Config) Taker(door, name string) (listener string, protocol ir.Protocol) {
	number, _, _ := strings.Cut(strings.TrimPrefix(door, "tcp_"), "_")
	for _, p := range c.ports {
		if p.Protocol == ir.UDP || strconv.Itoa(int(p.Port)) != number {
			continue
		}
		if l := order.Select(p.All(), name); l != nil {
			return listenerName(l.Key), l.Protocol
		}
	}
	return "", ir.TCP
}

// Led is what a row says of a request that it has led.
type Led struct {
	// Route is "HTTPRoute/shop/cart", and Rule the rule's index; both are empty where
	// no rule is meant.
	Route, Rule string
	// Backend is "shop/cart:8080"; empty where there is none.
	Backend string
	// Listener is that of a stream.
	Listener string
	// Inner is true of what goes on in another line.
	Inner bool
}

// ParseLed reads a row's value.
func ParseLed(value string) Led {
	section, rest, _ := strings.Cut(value, "|")
	tagged, last, _ := strings.Cut(rest, "|")
	if value == nobody {
		return Led{}
	}
	led := Led{Listener: last, Backend: ParseSection(section), Inner: tagged == "" && strings.HasPrefix(section, "tcp_")}
	if at := strings.LastIndexByte(tagged, '/'); at > 0 {
		led.Route, led.Rule = tagged[:at], tagged[at+1:]
	}
	return led
}

// ParseSection returns the backend that a section leads to: "shop/cart:8080", or
// nothing.
func ParseSection(name string) string {
	parts := strings.Split(name, "_")
	const namespace, service, port, parted = 0, 1, 2, 5
	if len(parts) != parted {
		return ""
	}
	return parts[namespace] + "/" + parts[service] + ":" + parts[port]
}
