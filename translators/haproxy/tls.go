package haproxy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/haproxytech/client-native/v5/models"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/openssl"
	"github.com/sluice-gateway/sluice/ir/order"
)

// doors are what ports of TLS are made of.
type doors struct {
	leaves map[ir.CertificateKey]*leaf
	// anchors are the certificates of texts of trust anchors.
	anchors map[string]string
	// lists are those of ports, and whole those of listeners with a socket inside.
	lists map[*order.Port]*list
	whole map[ir.ListenerKey]*list
}

func newDoors() doors {
	return doors{anchors: map[string]string{}, lists: map[*order.Port]*list{}, whole: map[ir.ListenerKey]*list{}}
}

// speaksTLS says whether a port's connections begin with a handshake.
func speaksTLS(p *order.Port) bool { return p.Protocol == ir.HTTPS || p.Protocol == ir.TLS }

// endsTLS says whether a listener's handshakes are made here.
func endsTLS(l *ir.Listener) bool {
	return l.Refused == "" && (l.Protocol == ir.HTTPS || l.Protocol == ir.TLS && l.TLS != nil && l.TLS.Mode != ir.Passthrough)
}

// closes says whether a listener refuses every handshake.
func (c *Config) closes(l *ir.Listener) bool {
	if l.Refused != "" || c.objectToTLS(l) != nil {
		return true
	}
	anchors, demanded := c.demands(l)
	return demanded && anchors == ""
}

// shut says whether a listener of HTTPS refuses every handshake. Whoever is connected
// from before would else escape what it was closed for.
func (c *Config) shut(l *ir.Listener) bool { return l.Protocol == ir.HTTPS && c.closes(l) }

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
		switch leaf := c.made.leaves[key]; {
		case leaf == nil:
			return fmt.Errorf("certificate %s/%s is not part of the unit", key.Namespace, key.Name)
		case leaf.err != nil:
			return leaf.err
		}
	}
	return nil
}

// objectToDoors notes the listeners that cannot be served. What is refused has its
// conditions already.
func (c *Config) objectToDoors() {
	for _, l := range c.unit.Proxy.Listeners {
		if !endsTLS(l) {
			continue
		}
		if err := c.objectToTLS(l); err != nil {
			c.Problems = append(c.Problems, ir.Problem{Origin: originOf(l), Message: err.Error()})
		}
	}
}

// tlsParams are what a socket that ends TLS has beside its list of certificates.
func (c *Config) tlsParams(list *list) models.BindParams {
	s := &c.unit.Proxy.Settings.TLS
	suites, old := cipherSuites(s.Ciphers)
	with := models.BindParams{
		Ssl: true, CrtList: list.file, StrictSni: list.strict,
		SslMinVer: models.BindParamsSslMinVerTLSv1Dot2, Ciphers: suites, Ciphersuites: strings.Join(openssl.Suites13, ":"),
		Alpn: strings.Join(s.ALPN, ","), NoAlpn: len(s.ALPN) == 0,
		// A session that was made with one listener is resumed with any other of the
		// socket, and passes by what that one demands.
		NoTLSTickets: !list.resumes,
	}
	list.anyCertificate(&with)
	if s.MinVersion == ir.TLS13 || !old {
		with.SslMinVer = models.BindParamsSslMinVerTLSv1Dot3
	}
	return with
}

// cipherSuites turns IANA's names into OpenSSL's. It is false where none is of TLS
// 1.2, which is then not spoken.
func cipherSuites(names []string) (suites string, old bool) {
	all := openssl.Suites(names)
	if len(names) == 0 {
		all = openssl.Usual()
	}
	return strings.Join(all, ":"), len(all) > 0
}
