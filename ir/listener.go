package ir

// Protocol is what a listener speaks with its clients.
type Protocol string

// The protocols of Gateway API's listeners.
const (
	HTTP  Protocol = "HTTP"
	HTTPS Protocol = "HTTPS"
	TLS   Protocol = "TLS"
	TCP   Protocol = "TCP"
	UDP   Protocol = "UDP"
)

// ListenerKey names a listener: section Section of a Gateway or a ListenerSet.
type ListenerKey struct {
	Owner   Object `json:"owner"`
	Section string `json:"section"`
}

// Listener is one logical listener. Several may share a port; a request belongs
// to the one with the most specific hostname that matches it, and is served by
// that one's routes alone (listener isolation).
type Listener struct {
	Key      ListenerKey `json:"key"`
	Port     uint16      `json:"port"`
	Protocol Protocol    `json:"protocol"`
	// Hostname is lower case: exact ("a.example"), a wildcard ("*.example",
	// which covers any number of labels, at least one), or "*" for every host.
	Hostname string `json:"hostname"`
	// TLS is set for HTTPS and TLS, unless the listener is Refused.
	TLS *ListenerTLS `json:"tls,omitempty"`
	// SendProxyProtocol is the version of the PROXY header that backends of the
	// listener's TLSRoutes and TCPRoutes get first; empty for none. HTTP and UDP
	// have none.
	SendProxyProtocol ProxyProtocolVersion `json:"sendProxyProtocol,omitempty"`
	// Refused is why the listener cannot be served, where it keeps its hostname
	// all the same: without it, traffic for the hostname would meet a wider
	// listener of the port. Handshakes for it are refused, and plain HTTP requests
	// get 500. No route is attached to it, and a listener of the same family (HTTP;
	// HTTPS and TLS) that is not Refused has the port too. Listeners that conflict
	// are not in the ir: their hostname is another's.
	Refused string `json:"refused,omitempty"`
}

// ProxyProtocolVersion is a version of the PROXY protocol.
type ProxyProtocolVersion string

// The versions of the PROXY protocol: a line of text, and a binary header.
const (
	ProxyProtocolV1 ProxyProtocolVersion = "v1"
	ProxyProtocolV2 ProxyProtocolVersion = "v2"
)

// TLSMode says who ends the client's TLS.
type TLSMode string

// The modes of Gateway API's TLSModeType.
const (
	Terminate   TLSMode = "Terminate"
	Passthrough TLSMode = "Passthrough"
)

// ListenerTLS is how a listener meets its clients' handshakes.
type ListenerTLS struct {
	Mode TLSMode `json:"mode"`
	// Certificates are the ones to choose from, first match by SNI and
	// algorithm; the first is the default. Never empty with Terminate.
	Certificates []CertificateKey `json:"certificates,omitempty"`
	// ClientValidation is nil where no client certificate is asked for.
	ClientValidation *ClientValidation `json:"clientValidation,omitempty"`
}

// ClientValidation says how client certificates are checked.
type ClientValidation struct {
	// CAs are the trust anchors, PEM. Empty means that nothing can be valid:
	// with Required every handshake fails.
	CAs string `json:"cas"`
	// Required is false for AllowInsecureFallback: no certificate, or one that
	// does not verify, is let through.
	Required bool `json:"required"`
}

// CertificateKey names a Secret of type kubernetes.io/tls.
type CertificateKey struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Certificate is a chain and its private key, checked to belong together.
type Certificate struct {
	Key CertificateKey `json:"key"`
	// Chain is PEM, leaf first.
	Chain string `json:"chain"`
	// PrivateKey is PEM.
	PrivateKey Secret `json:"privateKey"`
}
