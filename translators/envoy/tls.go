package envoy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/openssl"
)

// tlsSocket ends the TLS of a listener's clients; nil for a listener that must
// refuse every handshake. ALPN is empty where what is spoken inside is not known.
func (c *Config) tlsSocket(l *ir.Listener, alpn []string) *corev3.TransportSocket {
	context := c.downstreamTLS(l, alpn)
	if context == nil {
		return nil
	}
	return &corev3.TransportSocket{
		Name:       "envoy.transport_sockets.tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: typed(context)},
	}
}

// closes says whether a listener of HTTPS or TLS refuses every handshake.
func (c *Config) closes(l *ir.Listener) bool {
	return l.Refused != "" || c.objectToTLS(l) != nil ||
		l.TLS.ClientValidation != nil && l.TLS.ClientValidation.Required && c.trustAnchors(l.TLS.ClientValidation.CAs) == ""
}

// objectToTLS says why a listener cannot be served.
func (c *Config) objectToTLS(l *ir.Listener) error {
	switch {
	case l.TLS == nil:
		return errors.New("the listener has no TLS settings: spec.listeners.tls is required for HTTPS")
	case len(l.TLS.Certificates) == 0:
		return errors.New("the listener has no certificate")
	}
	if err := openssl.CheckSuites(c.unit.Proxy.Settings.TLS.Ciphers); err != nil {
		return err
	}
	for _, key := range l.TLS.Certificates {
		if !c.certified[key] {
			return fmt.Errorf("certificate %s/%s is not part of the unit", key.Namespace, key.Name)
		}
	}
	return nil
}

// objectToDoors notes the listeners that cannot be served. What is refused has
// its conditions already.
func (c *Config) objectToDoors() {
	c.certified = make(map[ir.CertificateKey]bool, len(c.unit.Proxy.Certificates))
	for _, cert := range c.unit.Proxy.Certificates {
		c.certified[cert.Key] = true
	}
	for _, l := range c.unit.Proxy.Listeners {
		ends := l.Protocol == ir.HTTPS || l.Protocol == ir.TLS && l.TLS != nil && l.TLS.Mode != ir.Passthrough
		if !ends || l.Refused != "" {
			continue
		}
		if err := c.objectToTLS(l); err != nil {
			c.Problems = append(c.Problems, ir.Problem{Origin: originOf(l), Message: err.Error()})
		}
	}
}

func (c *Config) downstreamTLS(l *ir.Listener, alpn []string) *tlsv3.DownstreamTlsContext {
	if c.closes(l) {
		return nil
	}
	common := &tlsv3.CommonTlsContext{TlsParams: tlsParameters(&c.unit.Proxy.Settings.TLS), AlpnProtocols: alpn}
	for _, key := range l.TLS.Certificates {
		common.TlsCertificateSdsSecretConfigs = append(common.TlsCertificateSdsSecretConfigs, &tlsv3.SdsSecretConfig{
			Name: certificateName(key), SdsConfig: fromAgent(),
		})
	}
	context := &tlsv3.DownstreamTlsContext{CommonTlsContext: common}
	if v := l.TLS.ClientValidation; v != nil {
		demandClientCertificate(context, v)
	}
	return context
}

// demandClientCertificate sets how client certificates are met. Sessions are not
// resumed where one is asked for: a ticket could carry a client past a trust
// anchor that has been withdrawn.
func demandClientCertificate(context *tlsv3.DownstreamTlsContext, v *ir.ClientValidation) {
	context.DisableStatefulSessionResumption = true
	context.SessionTicketKeysType = &tlsv3.DownstreamTlsContext_DisableStatelessSessionResumption{DisableStatelessSessionResumption: true}
	if !v.Required {
		context.CommonTlsContext.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContext{
			ValidationContext: &tlsv3.CertificateValidationContext{
				TrustChainVerification: tlsv3.CertificateValidationContext_ACCEPT_UNTRUSTED,
			},
		}
		return
	}
	context.RequireClientCertificate = wrapperspb.Bool(true)
	context.CommonTlsContext.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContextSdsSecretConfig{
		ValidationContextSdsSecretConfig: &tlsv3.SdsSecretConfig{Name: anchorsName(v.CAs), SdsConfig: fromAgent()},
	}
}

func tlsParameters(s *ir.TLSSettings) *tlsv3.TlsParameters {
	p := &tlsv3.TlsParameters{
		TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2,
		TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3,
		CipherSuites:              openssl.Suites(s.Ciphers),
		EcdhCurves:                []string{"X25519MLKEM768", "X25519", "P-256", "P-384", "P-521"},
	}
	if s.MinVersion == ir.TLS13 {
		p.TlsMinimumProtocolVersion = tlsv3.TlsParameters_TLSv1_3
	}
	return p
}

// trustAnchors returns the certificates of a text. Reading them takes long, so what
// was read for the last translation is taken over.
func (c *Config) trustAnchors(text string) string {
	read, known := c.anchorsOf[text]
	if !known {
		if read, known = c.last.anchorsOf[text]; !known {
			read = openssl.Certificates(text)
		}
		c.anchorsOf[text] = read
	}
	return read
}

// digest names something by its content.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:12])
}
