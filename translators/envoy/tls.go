package envoy

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/ir"
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
	for _, name := range c.unit.Proxy.Settings.TLS.Ciphers {
		if opensslNames[name] == "" && !slices.Contains(fixedSuites, name) {
			return fmt.Errorf("cipher suite %q is not one that this proxy offers for TLS 1.2", name)
		}
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
		CipherSuites:              cipherSuites(s.Ciphers),
		EcdhCurves:                []string{"X25519MLKEM768", "X25519", "P-256", "P-384", "P-521"},
	}
	if s.MinVersion == ir.TLS13 {
		p.TlsMinimumProtocolVersion = tlsv3.TlsParameters_TLSv1_3
	}
	return p
}

// opensslNames are what BoringSSL calls the suites of TLS 1.2 that are offered.
var opensslNames = map[string]string{
	"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256":       "ECDHE-ECDSA-AES128-GCM-SHA256",
	"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256":         "ECDHE-RSA-AES128-GCM-SHA256",
	"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384":       "ECDHE-ECDSA-AES256-GCM-SHA384",
	"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384":         "ECDHE-RSA-AES256-GCM-SHA384",
	"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
	"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256":   "ECDHE-RSA-CHACHA20-POLY1305",
	"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA":          "ECDHE-ECDSA-AES128-SHA",
	"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA":            "ECDHE-RSA-AES128-SHA",
	"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA":          "ECDHE-ECDSA-AES256-SHA",
	"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA":            "ECDHE-RSA-AES256-SHA",
}

// fixedSuites are those of TLS 1.3, which are not configurable.
var fixedSuites = []string{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}

// cipherSuites turns IANA's names into BoringSSL's.
func cipherSuites(names []string) []string {
	var all []string
	for _, name := range names {
		if known := opensslNames[name]; known != "" {
			all = append(all, known)
		}
	}
	return all
}

// trustAnchors returns the certificates of a text. Reading them takes long, so what
// was read for the last translation is taken over.
func (c *Config) trustAnchors(text string) string {
	read, known := c.anchorsOf[text]
	if !known {
		if read, known = c.last.anchorsOf[text]; !known {
			read = certificates(text)
		}
		c.anchorsOf[text] = read
	}
	return read
}

// certificates returns the certificates of a text in PEM, without what else is
// there, which Envoy would refuse all of it for; empty where there are none.
func certificates(text string) string {
	var all strings.Builder
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return all.String()
		}
		if _, err := x509.ParseCertificate(block.Bytes); block.Type == "CERTIFICATE" && err == nil {
			all.Write(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes}))
		}
	}
}

// digest names something by its content.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:12])
}
