package haproxy

import (
	"github.com/haproxytech/client-native/v5/models"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/openssl"
)

// demands returns the trust anchors that clients of a listener must have a
// certificate of; empty where none is demanded.
//
// AllowInsecureFallback demands nothing, and asks all the same.
func (c *Config) demands(l *ir.Listener) (anchors string, demanded bool) {
	if l.TLS == nil || l.TLS.ClientValidation == nil || !l.TLS.ClientValidation.Required {
		return "", false
	}
	return c.asks(l), true
}

// asks returns the trust anchors that clients of a listener are asked for a
// certificate of; empty where they are not asked.
func (c *Config) asks(l *ir.Listener) string {
	if l.TLS == nil || l.TLS.ClientValidation == nil {
		return ""
	}
	return c.trustAnchors(l.TLS.ClientValidation.CAs)
}

// anyCertificate has a socket let everybody in whatever they show. That holds for all
// listeners of the socket, so it is not for one that has a listener with a demand:
// those that demand nothing do not ask there. Gateway API knows of no such socket, as
// validation is of a port.
func (l *list) anyCertificate(with *models.BindParams) {
	if l.asks && !l.demands {
		with.CaIgnoreErr, with.CrtIgnoreErr = "all", "all"
	}
}

// verification is what a line says of the certificates of clients.
func (l *list) verification(e *entry) string {
	switch {
	case e.anchors == "" || !e.demands && l.demands:
		return ""
	case e.demands:
		return " [verify required ca-file " + anchorsFile(e.anchors) + "]"
	}
	return " [verify optional ca-file " + anchorsFile(e.anchors) + "]"
}

// anchorsFile is named by its content: a change of it is a change of who is let in,
// and ends the connections of those who were before.
func anchorsFile(anchors string) string { return "authorities/" + digest([]string{anchors}) + ".pem" }

// anchorsFiles are the trust anchors that listeners name, each once.
func (c *Config) anchorsFiles() []*File {
	by := map[string]*File{}
	var all []*File
	for _, l := range c.unit.Proxy.Listeners {
		anchors := c.asks(l)
		if anchors == "" || !endsTLS(l) || c.closes(l) {
			continue
		}
		f := by[anchors]
		if f == nil {
			f = &File{Name: anchorsFile(anchors), Kind: Authorities, Content: anchors}
			by[anchors] = f
			all = append(all, f)
		}
		f.Origins = append(f.Origins, originOf(l))
	}
	return all
}

// trustAnchors returns the certificates of a text. Reading them takes long, so what
// was read for the last translation is taken over.
func (c *Config) trustAnchors(text string) string {
	read, known := c.made.anchors[text]
	if !known {
		if read, known = c.kept.anchors[text]; !known {
			read = openssl.Certificates(text)
		}
		c.made.anchors[text] = read
	}
	return read
}
