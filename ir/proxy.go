package ir

// Object names one Kubernetes object. It is a struct and never a joined
// string, so that "team/a-b" and "team-a/b" can never meet.
type Object struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// Origin says which part of which object an element was made from, so that
// what a proxy objects to lands on the right condition.
type Origin struct {
	Object
	// Section is a listener's or a rule's name; empty where it has none.
	Section string `json:"section,omitempty"`
	// Rule is a route rule's index in its object; 0 for everything else.
	Rule int `json:"rule,omitempty"`
}

// Proxy is the unit of translation, delivery and provisioning: all that one set
// of proxy pods needs, but for the endpoints, which change far more often and
// travel beside it.
type Proxy struct {
	// Owner is the Gateway, or the IngressClass group, that the unit belongs to.
	Owner Object `json:"owner"`
	// Listeners are ordered by port, then in order of precedence: the
	// Gateway's own, then those of its ListenerSets, oldest first.
	Listeners []*Listener `json:"listeners,omitempty"`
	// Routes are in order of precedence: oldest first, then by namespace and
	// name. Package ir/order says which of their matches wins for a request.
	Routes []*Route `json:"routes,omitempty"`
	// Backends are ordered by key and hold each key that a route names, once.
	Backends []*Backend `json:"backends,omitempty"`
	// Certificates are ordered by key and hold each key that a listener or a
	// backend names, once.
	Certificates []*Certificate `json:"certificates,omitempty"`
	Settings     Settings       `json:"settings,omitzero"`
}

// Unit is what a dataplane runs for one owner.
type Unit struct {
	Proxy *Proxy `json:"proxy"`
	// Endpoints hold one entry for each EndpointsKey that a backend names,
	// ordered by key; an entry without endpoints answers 503.
	Endpoints []*Endpoints `json:"endpoints,omitempty"`
}

// Problem is what a proxy objects to about one element of a unit.
type Problem struct {
	Origin Origin `json:"origin"`
	// Message is the proxy's own words, without secrets.
	Message string `json:"message"`
}

// Settings are the parts of GatewayParameters that a proxy reads. Every field
// holds its effective value: defaults have been filled in.
type Settings struct {
	ClientIP  ClientIP       `json:"clientIP"`
	Timeouts  ServerTimeouts `json:"timeouts"`
	Limits    Limits         `json:"limits"`
	TLS       TLSSettings    `json:"tls"`
	AccessLog AccessLog      `json:"accessLog"`
	Path      PathSettings   `json:"path,omitzero"`
	// ProxyProtocol is empty where no PROXY header is taken.
	ProxyProtocol ProxyProtocol `json:"proxyProtocol,omitzero"`
	HTTP3         HTTP3         `json:"http3,omitzero"`
}

// HTTP3 says whether HTTP/3 is served on the UDP side of ports with listeners of
// HTTPS. Where a listener of UDP has the same port, HTTP/3 is not served there.
type HTTP3 struct {
	Enabled bool `json:"enabled"`
	// AltSvcMaxAge is for how long clients may remember that it is, in whole
	// seconds (RFC 7838, section 3.1).
	AltSvcMaxAge Duration `json:"altSvcMaxAge"`
}

// PathSettings say how the paths of requests are read, beyond what
// ir/requestpath says of all.
type PathSettings struct {
	// KeepEncodedSlashes leaves "%2F" and "%5C" as they are, as data inside of
	// their segment; otherwise such requests are refused with 400.
	KeepEncodedSlashes bool `json:"keepEncodedSlashes,omitempty"`
}

// ProxyProtocol says whose PROXY headers are taken, on listeners of every
// protocol but UDP.
type ProxyProtocol struct {
	// Trusted are address prefixes, "10.0.0.0/8". Whoever connects from one of
	// them must send a header, of version 1 or 2, first; whoever connects from
	// elsewhere may not.
	Trusted []string `json:"trusted,omitempty"`
	// Ports are the listener ports that this holds for, ascending; empty means
	// all.
	Ports []uint16 `json:"ports,omitempty"`
	// HeaderTimeout bounds the wait for the header.
	HeaderTimeout Duration `json:"headerTimeout,omitempty"`
}

// ClientIP says how far X-Forwarded-For is believed.
type ClientIP struct {
	// TrustedHops is the number of proxies in front of this one whose entries
	// in X-Forwarded-For are believed. 0 means that the header is replaced.
	TrustedHops int `json:"trustedHops"`
}

// ServerTimeouts bound what a client may hold. 0 means no bound.
type ServerTimeouts struct {
	// RequestHeader bounds reading one request's header.
	RequestHeader Duration `json:"requestHeader"`
	// Idle bounds a keep-alive connection's wait for its next request.
	Idle Duration `json:"idle"`
	// Request bounds a whole exchange where its rule sets no time-out.
	Request Duration `json:"request"`
	// Stall bounds how long a client may keep an exchange waiting: by taking
	// nothing of what is written, or by sending nothing of a body that is waited
	// for. It is pushed ahead with every byte. Of gRPC calls, of exchanges whose
	// response streams already and of upgraded connections only writes count.
	Stall Duration `json:"stall"`
	// Connect bounds opening a connection to an endpoint.
	Connect Duration `json:"connect"`
	// Drain bounds how long open connections are served after a stop.
	Drain Duration `json:"drain"`
	// StreamIdle ends a connection of a TLSRoute or a TCPRoute on which nothing
	// has moved in either direction.
	StreamIdle Duration `json:"streamIdle"`
	// DatagramIdle ends a session of a UDPRoute in which nothing has come from
	// either side. 0 stands for a minute: a session has no other end.
	DatagramIdle Duration `json:"datagramIdle"`
}

// Limits bound what a client may send. 0 means no bound.
type Limits struct {
	// RequestHeaderBytes bounds a request's line and fields together.
	RequestHeaderBytes int `json:"requestHeaderBytes"`
	// RequestHeaderCount bounds the number of a request's fields, and of those of
	// its trailer section; over it, 431. Those of HTTP/2 that begin with a colon
	// are not counted.
	RequestHeaderCount int `json:"requestHeaderCount"`
	// RequestBodyBytes bounds a request's body; over it, 413.
	RequestBodyBytes int64 `json:"requestBodyBytes"`
	// MinBodyBytesPerSecond is the least that a client must send of a body that is
	// waited for, and take of what is written, once it was waited for longer than
	// Stall; as Stall it does not hold for bodies of gRPC, of exchanges whose
	// response streams already and of upgraded connections. Without Stall it does
	// not hold at all.
	MinBodyBytesPerSecond int `json:"minBodyBytesPerSecond"`
	// RetryBufferBytes bounds what is kept of all bodies together for another try;
	// over it, bodies are sent but once.
	RetryBufferBytes int64 `json:"retryBufferBytes"`
	// Requests bounds the requests under way of the unit, upgraded connections
	// included; over it, 503.
	Requests int `json:"requests"`
	// Connections bounds the connections of one listener port; one more is closed.
	Connections int `json:"connections"`
	// ConcurrentStreams bounds the requests under way on a connection of HTTP/2 or
	// HTTP/3.
	ConcurrentStreams int `json:"concurrentStreams"`
	// DatagramSessions bounds the sessions of one UDP listener: one is a client's
	// address and port. Datagrams of further clients are dropped.
	DatagramSessions int `json:"datagramSessions"`
}

// TLSVersion is a protocol version, "1.2" or "1.3".
type TLSVersion string

// The versions of TLS that a listener may be held to.
const (
	TLS12 TLSVersion = "1.2"
	TLS13 TLSVersion = "1.3"
)

// TLSSettings apply to every listener that terminates TLS.
type TLSSettings struct {
	MinVersion TLSVersion `json:"minVersion"`
	// Ciphers are IANA names for TLS 1.2, in order; empty means the proxy's own
	// choice. TLS 1.3 suites are not configurable.
	Ciphers []string `json:"ciphers,omitempty"`
	// ALPN lists "h2" and "http/1.1", in order of preference.
	ALPN []string `json:"alpn"`
}

// AccessLog says whether each request is logged, as one JSON object a line.
type AccessLog struct {
	Enabled bool `json:"enabled"`
}
