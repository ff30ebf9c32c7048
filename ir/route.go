package ir

import "time"

// RouteKind is the kind of traffic that a route carries.
type RouteKind string

// The kinds of routes. A GRPC route's matches are written as paths of HTTP/2
// requests; its kind remains, because its errors are gRPC statuses.
const (
	HTTPRoute RouteKind = "HTTP"
	GRPCRoute RouteKind = "GRPC"
	TLSRoute  RouteKind = "TLS"
	TCPRoute  RouteKind = "TCP"
	UDPRoute  RouteKind = "UDP"
)

// Route is one route object as one unit sees it: a part of its own on the wire,
// so that one changed route is one changed part.
type Route struct {
	Origin Object    `json:"origin"`
	Kind   RouteKind `json:"kind"`
	// Created decides between equal matches of two routes: the older wins.
	Created time.Time `json:"created"`
	// Attachments are ordered by listener and hold each listener once.
	Attachments []Attachment `json:"attachments"`
	// Rules of TLS, TCP and UDP are never matched: the first one has all the
	// traffic, and those after it are Refused.
	Rules []*Rule `json:"rules"`
}

// Attachment binds a route to one listener of the unit.
type Attachment struct {
	Listener ListenerKey `json:"listener"`
	// Hostnames are the intersection of the listener's and the route's, lower
	// case, sorted; "*" stands for every host. Empty for TCP and UDP.
	Hostnames []string `json:"hostnames,omitempty"`
}

// Rule is one rule of a route: what it matches, what is done to the exchange,
// and where it goes.
type Rule struct {
	Origin Origin `json:"origin"`
	// Matches is empty for TLS, TCP and UDP, and never for HTTP and GRPC, unless
	// the rule is Refused and says nothing of its traffic that could be kept.
	Matches []Match `json:"matches,omitempty"`
	// Refused is set where the rule cannot be served as written. Such a rule
	// keeps its matches and answers 500 to them, so that its traffic never
	// falls through to a wider rule. Filters, Backends, Retry and Session of
	// such a rule are empty.
	Refused string `json:"refused,omitempty"`
	// Filters run in order, requests downwards and responses upwards.
	Filters []Filter `json:"filters,omitempty"`
	// Backends are chosen from by weight. Without any, or with a total weight
	// of 0, the rule answers 500.
	Backends []BackendUse `json:"backends,omitempty"`
	Timeouts RuleTimeouts `json:"timeouts,omitzero"`
	Retry    *Retry       `json:"retry,omitempty"`
	Session  *Session     `json:"session,omitempty"`
}

// MatchKind says how a value is compared.
type MatchKind string

// The kinds of matches. Regex is RE2 syntax, case-sensitive, and must match the
// whole value. Prefix matches whole path segments: "/a" matches "/a", "/a/" and
// "/a/b", not "/ab".
const (
	Exact  MatchKind = "Exact"
	Prefix MatchKind = "Prefix"
	Regex  MatchKind = "Regex"
)

// Match is a conjunction: all that it names must match.
type Match struct {
	Path PathMatch `json:"path"`
	// Method is upper case; empty matches every method.
	Method string `json:"method,omitempty"`
	// Headers are ordered by name; names are lower case, each once. A header
	// that a request has several times is compared as one value joined by
	// commas (RFC 9110, section 5.3).
	Headers []ValueMatch `json:"headers,omitempty"`
	// Query names are case-sensitive, ordered, each once; a parameter's first
	// value counts.
	Query []ValueMatch `json:"query,omitempty"`
}

// PathMatch compares the normalised path of a request, before any rewrite.
type PathMatch struct {
	Kind MatchKind `json:"kind"`
	// Value of a Prefix has no trailing slash unless it is "/".
	Value string `json:"value"`
}

// ValueMatch compares the value of a header or of a query parameter.
type ValueMatch struct {
	Name  string    `json:"name"`
	Kind  MatchKind `json:"kind"`
	Value string    `json:"value"`
}

// RuleTimeouts are a rule's own bounds; 0 means that the unit's default holds
// for Request, and that there is no bound for BackendRequest. A rule that turns
// a bound off ("0s" in Gateway API) has NoTimeout.
type RuleTimeouts struct {
	// Request bounds the exchange as the client sees it, retries included; 504.
	Request Duration `json:"request,omitempty"`
	// BackendRequest bounds each try; 504 once no try is left.
	BackendRequest Duration `json:"backendRequest,omitempty"`
}

// NoTimeout is a time-out that was explicitly turned off.
const NoTimeout Duration = -1

// Retry says when a try is made again at another endpoint. A failed connection
// and a try that ran out of its BackendRequest time-out are always tried again.
type Retry struct {
	// Codes are response statuses that count as failures, ascending.
	Codes []int `json:"codes,omitempty"`
	// Attempts is the number of tries after the first; at least 1.
	Attempts int `json:"attempts"`
	// Backoff is the least wait before the next try.
	Backoff Duration `json:"backoff"`
}

// Session keeps a client at the endpoint that served it first (GEP-1619).
type Session struct {
	// Name is the cookie's or the header's name.
	Name string `json:"name"`
	// Header is true where the token travels in a header instead of a cookie.
	Header bool `json:"header,omitempty"`
	// Path is the cookie's Path attribute.
	Path string `json:"path,omitempty"`
	// AbsoluteTimeout ends a session this long after it began; 0 means never.
	AbsoluteTimeout Duration `json:"absoluteTimeout,omitempty"`
	// Permanent gives the cookie a Max-Age of AbsoluteTimeout.
	Permanent bool `json:"permanent,omitempty"`
}
