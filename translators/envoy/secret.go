package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/sluice-gateway/sluice/ir"
)

// secrets returns certificates and trust anchors. They are resources of their
// own, so that a key is rotated without a connection that is lost, and what is
// refused of one costs those who name it alone.
func (c *Config) secrets() []*Resource {
	named := c.listenersByCertificate()
	all := make([]*Resource, 0, len(c.unit.Proxy.Certificates))
	for _, cert := range c.unit.Proxy.Certificates {
		r := certificate(cert)
		r.Origins = named[cert.Key]
		all = append(all, r)
	}
	return append(all, c.anchors()...)
}

// listenersByCertificate says who shows a certificate.
func (c *Config) listenersByCertificate() map[ir.CertificateKey][]ir.Origin {
	named := map[ir.CertificateKey][]ir.Origin{}
	for _, l := range c.unit.Proxy.Listeners {
		if l.TLS == nil {
			continue
		}
		for _, key := range l.TLS.Certificates {
			named[key] = append(named[key], originOf(l))
		}
	}
	return named
}

func certificate(cert *ir.Certificate) *Resource {
	name := certificateName(cert.Key)
	return &Resource{Name: name, Message: &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_TlsCertificate{
		TlsCertificate: &tlsv3.TlsCertificate{CertificateChain: inline(cert.Chain), PrivateKey: inline(string(cert.PrivateKey))},
	}}}
}

// anchors returns what client certificates are checked with, each set once.
func (c *Config) anchors() []*Resource {
	byName := map[string]*Resource{}
	var all []*Resource
	for _, l := range c.unit.Proxy.Listeners {
		if l.TLS == nil || l.TLS.ClientValidation == nil || !l.TLS.ClientValidation.Required {
			continue
		}
		text := c.trustAnchors(l.TLS.ClientValidation.CAs)
		name := anchorsName(l.TLS.ClientValidation.CAs)
		if byName[name] == nil && text != "" {
			byName[name] = anchor(name, text)
			all = append(all, byName[name])
		}
		if r := byName[name]; r != nil {
			r.Origins = append(r.Origins, originOf(l))
		}
	}
	return all
}

func anchor(name, text string) *Resource {
	return &Resource{Name: name, Message: &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_ValidationContext{
		ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: inline(text)},
	}}}
}

func inline(text string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: text}}
}
