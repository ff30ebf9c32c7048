package listen

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/sluice-gateway/sluice/ir"
)

// TLSListener is one listener of a port, ready for handshakes.
type TLSListener struct {
	// Config is nil for a listener that cannot be served: its handshakes fail.
	Config *tls.Config
	// Validation names the rules for client certificates.
	Validation string
	// Stream is true for a listener of TLS: what is decrypted goes to a backend as
	// it is.
	Stream bool
	// QUIC is Config for handshakes over QUIC; nil where there are none.
	QUIC *tls.Config
}

// TLSInput is what a listener's handshakes are made of.
type TLSInput struct {
	Listener     *ir.Listener
	Certificates map[ir.CertificateKey]*ir.Certificate
	Settings     ir.TLSSettings
	// QUIC asks for a configuration for QUIC too.
	QUIC bool
}

// NewTLSListener prepares a listener for handshakes. With an error, the result
// refuses every handshake: put in the listener's place, it keeps clients from
// meeting a wider listener instead.
func NewTLSListener(in TLSInput) (TLSListener, error) {
	refused := TLSListener{}
	if in.Listener.TLS == nil {
		return refused, errors.New("the listener has no TLS settings: spec.listeners.tls is required for HTTPS")
	}
	refused.Stream = in.Listener.Protocol == ir.TLS
	config := &tls.Config{MinVersion: minVersion(in.Settings.MinVersion)}
	if !refused.Stream {
		// What a stream's backend speaks is not known here.
		config.NextProtos = in.Settings.ALPN
	}
	ciphers, err := cipherSuites(in.Settings.Ciphers)
	if err != nil {
		return refused, err
	}
	config.CipherSuites = ciphers
	if config.Certificates, err = keyPairs(in); err != nil {
		return refused, err
	}
	made := TLSListener{
		Config: config, Stream: refused.Stream,
		Validation: demandClientCertificate(config, in.Listener.TLS.ClientValidation),
	}
	if in.QUIC && !made.Stream {
		made.QUIC = forQUIC(config)
	}
	return made, nil
}

// forQUIC returns the configuration for TLS 1.3, which QUIC is made for, and
// HTTP/3 alone (RFC 9114, section 3.1).
func forQUIC(config *tls.Config) *tls.Config {
	config = config.Clone()
	config.MinVersion, config.NextProtos = tls.VersionTLS13, []string{"h3"}
	return config
}

func minVersion(v ir.TLSVersion) uint16 {
	if v == ir.TLS13 {
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}

func cipherSuites(names []string) ([]uint16, error) {
	var ids []uint16
	for _, name := range names {
		id, ok := cipherSuite(name)
		if !ok {
			return nil, fmt.Errorf("cipher suite %q is not one that this proxy offers for TLS 1.2", name)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func cipherSuite(name string) (uint16, bool) {
	for _, suite := range tls.CipherSuites() {
		if suite.Name == name {
			return suite.ID, true
		}
	}
	return 0, false
}

// keyPairs returns all certificates of a listener; crypto/tls takes the first
// that the client's SNI and algorithms can use, else the first.
func keyPairs(in TLSInput) ([]tls.Certificate, error) {
	var pairs []tls.Certificate
	for _, key := range in.Listener.TLS.Certificates {
		cert := in.Certificates[key]
		if cert == nil {
			return nil, fmt.Errorf("certificate %s/%s is not part of the unit", key.Namespace, key.Name)
		}
		pair, err := tls.X509KeyPair([]byte(cert.Chain), []byte(string(cert.PrivateKey)))
		if err != nil {
			return nil, fmt.Errorf("certificate %s/%s: %w", key.Namespace, key.Name, err)
		}
		pairs = append(pairs, pair)
	}
	if len(pairs) == 0 {
		return nil, errors.New("the listener has no certificate")
	}
	return pairs, nil
}

// demandClientCertificate sets how client certificates are met, and names the
// rules. Sessions are not resumed where one is asked for: a ticket could carry
// a client past a trust anchor that has been withdrawn.
func demandClientCertificate(config *tls.Config, v *ir.ClientValidation) string {
	if v == nil {
		return ""
	}
	config.SessionTicketsDisabled = true
	config.ClientAuth = tls.RequestClientCert
	if v.Required {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	// An empty pool and not nil, which would stand for the system's roots.
	config.ClientCAs = x509.NewCertPool()
	config.ClientCAs.AppendCertsFromPEM([]byte(v.CAs))
	return ValidationName(v)
}

// ValidationName names the rules for client certificates by their content;
// empty for none.
func ValidationName(v *ir.ClientValidation) string {
	if v == nil {
		return ""
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%t %s", v.Required, v.CAs))
	return hex.EncodeToString(sum[:])
}

// forClient returns the configuration of a handshake. A name that no listener
// covers gets one without certificates: crypto/tls answers that with the alert
// unrecognized_name. It takes no tickets either: one from another listener of
// the socket would do without a certificate.
func (p *Port) forClient(name string) (*tls.Config, TLSListener) {
	l, ok := p.TLS(name)
	if !ok || l.Config == nil {
		return &tls.Config{MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true}, TLSListener{}
	}
	return l.Config, l
}
