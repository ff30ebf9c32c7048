package haproxy

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"github.com/sluice-gateway/sluice/ir"
)

// leaf is what choosing among certificates needs of one.
type leaf struct {
	from      *ir.Certificate
	algorithm x509.PublicKeyAlgorithm
	names     []string
	err       error
}

// certificateFile is where a certificate is. Its name stays when it is rotated, so
// that a running HAProxy takes the new one in its place.
func certificateFile(key ir.CertificateKey) string {
	return "certificates/" + key.Namespace + "_" + key.Name + ".pem"
}

// readLeaves reads the unit's certificates. One that is the same as for the last
// translation is not read again.
func (c *Config) readLeaves() map[ir.CertificateKey]*leaf {
	all := make(map[ir.CertificateKey]*leaf, len(c.unit.Proxy.Certificates))
	for _, cert := range c.unit.Proxy.Certificates {
		if was := c.kept.leaves[cert.Key]; was != nil && (was.from == cert || *was.from == *cert) {
			all[cert.Key] = was
			continue
		}
		all[cert.Key] = readLeaf(cert)
	}
	return all
}

func readLeaf(cert *ir.Certificate) *leaf {
	l := &leaf{from: cert}
	pair, err := tls.X509KeyPair([]byte(cert.Chain), []byte(string(cert.PrivateKey)))
	if err != nil {
		l.err = fmt.Errorf("certificate %s/%s: %w", cert.Key.Namespace, cert.Key.Name, err)
		return l
	}
	l.algorithm = pair.Leaf.PublicKeyAlgorithm
	for _, name := range pair.Leaf.DNSNames {
		if plain, ok := hostname(name); ok {
			l.names = append(l.names, plain)
		}
	}
	return l
}

// fits says whether clients that verify would take the certificate for a name; those
// of a wildcard are meant all.
func (l *leaf) fits(name string) bool {
	for _, own := range l.names {
		if own == name || own == parent(name) {
			return true
		}
	}
	return false
}

// certificateFiles are the certificates that listeners show, each once.
func (c *Config) certificateFiles() []*File {
	shown := map[ir.CertificateKey][]ir.Origin{}
	for _, l := range c.unit.Proxy.Listeners {
		if !endsTLS(l) || c.closes(l) {
			continue
		}
		for _, key := range l.TLS.Certificates {
			shown[key] = append(shown[key], originOf(l))
		}
	}
	var all []*File
	for _, cert := range c.unit.Proxy.Certificates {
		if origins := shown[cert.Key]; origins != nil {
			all = append(all, &File{
				Name: certificateFile(cert.Key), Kind: Certificate, Origins: origins,
				Secret: ir.Secret(cert.Chain + "\n" + string(cert.PrivateKey) + "\n"),
			})
		}
	}
	return all
}

func originOf(l *ir.Listener) ir.Origin {
	return ir.Origin{Object: l.Key.Owner, Section: l.Key.Section}
}
