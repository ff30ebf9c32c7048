package envoy

import (
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	proxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/proxy_protocol/v3"
	rawv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/ir"
)

// secure makes connections of a cluster those of TLS, where its backend asks for
// it. It is false where the backend cannot be followed.
func (c *Config) secure(m *clusterv3.Cluster, b *ir.Backend) bool {
	if b.TLS == nil {
		return true
	}
	validation := c.validation(b.TLS)
	if b.TLS.Invalid != "" || validation == nil {
		return false
	}
	context := &tlsv3.CommonTlsContext{
		TlsParams:             backendTLSParameters(),
		ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: validation},
	}
	if b.Key.Protocol == ir.BackendH2 {
		context.AlpnProtocols = []string{"h2"}
	}
	if key := b.TLS.ClientCertificate; key != nil {
		if !c.has(*key) {
			return false
		}
		context.TlsCertificateSdsSecretConfigs = []*tlsv3.SdsSecretConfig{{Name: certificateName(*key), SdsConfig: fromAgent()}}
	}
	m.TransportSocket = socket("envoy.transport_sockets.tls", &tlsv3.UpstreamTlsContext{
		CommonTlsContext: context, Sni: b.TLS.Hostname, MaxSessionKeys: wrapperspb.UInt32(0),
	})
	return true
}

func (c *Config) has(key ir.CertificateKey) bool {
	for _, one := range c.unit.Proxy.Certificates {
		if one.Key == key {
			return true
		}
	}
	return false
}

// backendTLSParameters are what the Go proxy agrees to.
func backendTLSParameters() *tlsv3.TlsParameters {
	return &tlsv3.TlsParameters{
		TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2,
		TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3,
		CipherSuites: []string{
			"[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]",
			"[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]",
			"ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
			"ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA",
		},
		EcdhCurves: []string{"X25519MLKEM768", "X25519", "P-256", "P-384", "P-521"},
		SignatureAlgorithms: []string{
			"rsa_pss_rsae_sha256", "ecdsa_secp256r1_sha256", "ed25519",
			"rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512", "rsa_pkcs1_sha256", "rsa_pkcs1_sha384", "rsa_pkcs1_sha512",
			"ecdsa_secp384r1_sha384", "ecdsa_secp521r1_sha512",
		},
	}
}

// validation is how a backend's certificate is checked; nil where none can be
// valid.
func (c *Config) validation(t *ir.BackendTLS) *tlsv3.CertificateValidationContext {
	v := &tlsv3.CertificateValidationContext{MatchTypedSubjectAltNames: subjectNames(t)}
	switch anchors := trustAnchors(t.CAs); {
	case anchors != "":
		v.TrustedCa = &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: anchors}}
	case t.SystemCAs && t.CAs == "" && c.target.SystemCAs != "":
		v.TrustedCa = &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: c.target.SystemCAs}}
	default:
		return nil
	}
	if len(v.GetMatchTypedSubjectAltNames()) == 0 {
		return nil
	}
	return v
}

// trustAnchors returns the certificates of a bundle. What is none is left out:
// Envoy would refuse the whole of it.
func trustAnchors(bundle string) string {
	var all strings.Builder
	for rest := []byte(bundle); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return all.String()
		}
		if block.Type != "CERTIFICATE" || len(block.Headers) > 0 {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err == nil {
			// A strings.Builder takes all that it is given.
			_ = pem.Encode(&all, block)
		}
	}
}

// subjectNames are those of which a certificate must carry one.
func subjectNames(t *ir.BackendTLS) []*tlsv3.SubjectAltNameMatcher {
	if len(t.SANs) == 0 {
		return hostName(t.Hostname)
	}
	all := make([]*tlsv3.SubjectAltNameMatcher, 0, len(t.SANs))
	for _, san := range t.SANs {
		if one := subjectName(san); one != nil {
			all = append(all, one)
		}
	}
	return all
}

func hostName(hostname string) []*tlsv3.SubjectAltNameMatcher {
	kind := tlsv3.SubjectAltNameMatcher_DNS
	if _, err := netip.ParseAddr(hostname); err == nil {
		kind = tlsv3.SubjectAltNameMatcher_IP_ADDRESS
	}
	if hostname == "" {
		return nil
	}
	return []*tlsv3.SubjectAltNameMatcher{exactName(kind, hostname)}
}

func subjectName(san ir.SAN) *tlsv3.SubjectAltNameMatcher {
	suffix, isWildcard := strings.CutPrefix(san.DNS, "*")
	switch {
	case san.URI != "":
		return exactName(tlsv3.SubjectAltNameMatcher_URI, san.URI)
	case isWildcard && suffix != "":
		return &tlsv3.SubjectAltNameMatcher{SanType: tlsv3.SubjectAltNameMatcher_DNS, Matcher: &matcherv3.StringMatcher{
			MatchPattern: &matcherv3.StringMatcher_Suffix{Suffix: suffix}, IgnoreCase: true,
		}}
	case san.DNS != "":
		return exactName(tlsv3.SubjectAltNameMatcher_DNS, san.DNS)
	}
	return nil
}

func exactName(kind tlsv3.SubjectAltNameMatcher_SanType, text string) *tlsv3.SubjectAltNameMatcher {
	return &tlsv3.SubjectAltNameMatcher{SanType: kind, Matcher: &matcherv3.StringMatcher{
		MatchPattern: &matcherv3.StringMatcher_Exact{Exact: text},
	}}
}

// greet makes the connections of a cluster begin with a PROXY header, before any
// TLS.
func greet(m *clusterv3.Cluster, v variant) {
	version := corev3.ProxyProtocolConfig_V1
	switch v {
	case greeted(ir.ProxyProtocolV1):
	case greeted(ir.ProxyProtocolV2):
		version = corev3.ProxyProtocolConfig_V2
	default:
		return
	}
	below := m.GetTransportSocket()
	if below == nil {
		below = socket("envoy.transport_sockets.raw_buffer", &rawv3.RawBuffer{})
	}
	m.TransportSocket = socket("envoy.transport_sockets.upstream_proxy_protocol", &proxyv3.ProxyProtocolUpstreamTransport{
		Config: &corev3.ProxyProtocolConfig{Version: version}, TransportSocket: below,
	})
}

func socket(name string, m proto.Message) *corev3.TransportSocket {
	return &corev3.TransportSocket{Name: name, ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: typed(m)}}
}
