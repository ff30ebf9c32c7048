package ir

// BackendProtocol is what a backend's endpoints speak.
type BackendProtocol string

// The protocols of backends. BackendHTTP1 and BackendH2 run over TLS where the
// backend has TLS; BackendH2C never does.
const (
	BackendHTTP1 BackendProtocol = "http1"
	BackendH2    BackendProtocol = "h2"
	BackendH2C   BackendProtocol = "h2c"
	BackendTCP   BackendProtocol = "tcp"
	// BackendTLSStream is any stream in TLS of ours, for what TLSRoutes terminate.
	BackendTLSStream BackendProtocol = "tls"
	BackendUDP       BackendProtocol = "udp"
)

// EndpointsKey names the endpoints of one port of a Service.
type EndpointsKey struct {
	Namespace string `json:"namespace"`
	Service   string `json:"service"`
	Port      uint16 `json:"port"`
}

// BackendKey names a backend by what it is, never by a rule's index. One
// Service:port has a backend for each protocol that is spoken with it.
type BackendKey struct {
	EndpointsKey
	Protocol BackendProtocol `json:"protocol"`
}

// Backend is a Service:port as an upstream: one pool of connections. It holds
// nothing that belongs to a rule, so two routes on one Service can share it.
type Backend struct {
	Key BackendKey `json:"key"`
	// TLS is nil for plain text.
	TLS *BackendTLS `json:"tls,omitempty"`
	// Balancing chooses among the endpoints. Slow start is off: an endpoint has its
	// full share from the first request on.
	Balancing Balancing `json:"balancing,omitzero"`
	// Ejection is nil where no endpoint is ever left out, as of UDP, where nothing
	// tells whether one is reached.
	Ejection *Ejection `json:"ejection,omitempty"`
}

// BackendTLS is how a backend's certificate is checked and ours is shown
// (BackendTLSPolicy, GEP-1897; GEP-3155).
type BackendTLS struct {
	// Hostname is the SNI, and what the certificate must be for unless SANs are
	// given.
	Hostname string `json:"hostname"`
	// CAs are the trust anchors, PEM; empty with SystemCAs.
	CAs       string `json:"cas,omitempty"`
	SystemCAs bool   `json:"systemCAs,omitempty"`
	// SANs are alternatives: the certificate must carry at least one.
	SANs []SAN `json:"sans,omitempty"`
	// ClientCertificate is nil where none is shown.
	ClientCertificate *CertificateKey `json:"clientCertificate,omitempty"`
	// Invalid is set where the policy cannot be followed. Every request to such
	// a backend fails: it is never sent in plain text.
	Invalid string `json:"invalid,omitempty"`
}

// SAN is a subject alternative name; exactly one field is set.
type SAN struct {
	// DNS may begin with a wildcard label.
	DNS string `json:"dns,omitempty"`
	URI string `json:"uri,omitempty"`
}

// BackendUse is one rule's use of a backend. Filters are here and not on the
// backend, so that two routes on one Service never share them.
type BackendUse struct {
	// Backend is nil where the reference could not be resolved: its share of
	// the traffic is answered with 500.
	Backend *BackendKey `json:"backend,omitempty"`
	// Weight is relative to the sum of the rule's weights; 0 takes no traffic.
	Weight  int      `json:"weight"`
	Filters []Filter `json:"filters,omitempty"`
}

// Endpoints are where one port of a Service is served. They stand apart from
// the backend: a change of them is neither translated nor hashed.
type Endpoints struct {
	Key EndpointsKey `json:"key"`
	// Endpoints are ordered by address, then port, each once.
	Endpoints []Endpoint `json:"endpoints"`
}

// Endpoint is one address that serves.
type Endpoint struct {
	// Address is an IP address.
	Address string `json:"address"`
	Port    uint16 `json:"port"`
	// Zone is the topology zone; empty where unknown.
	Zone string `json:"zone,omitempty"`
	// ForZones and ForNodes are the zones and the nodes whose proxies should use
	// the endpoint. A proxy that knows its node follows ForNodes where every
	// endpoint that does not drain has some, and one of them names its node; else
	// one that knows its zone follows ForZones, likewise; else all are alike.
	ForZones []string `json:"forZones,omitempty"`
	ForNodes []string `json:"forNodes,omitempty"`
	// Draining endpoints are terminating but still serving: used only where no
	// other endpoint is left.
	Draining bool `json:"draining,omitempty"`
}
