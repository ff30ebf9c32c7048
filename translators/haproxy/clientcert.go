package haproxy

import (
	"github.com/sluice-gateway/sluice/ir"
)

// demands returns the trust anchors that clients of a listener must have a
// certificate of; empty where none is demanded.
//
// AllowInsecureFallback lets everybody in, whatever is shown, and what is shown goes
// nowhere from here, so that nothing is asked for: HAProxy could ask and not mind the
// answer for all listeners of a socket only, and then those that mind would be open.
func (c *Config) demands(l *ir.Listener) (anchors string, demanded bool) {
	if l.TLS == nil || l.TLS.ClientValidation == nil || !l.TLS.ClientValidation.Required {
		return "", false
	}
	return c.trustAnchors(l.TLS.ClientValidation.CAs), true
}

// anchorsFile is named by its content: a change of it is a change of who is let in,
// and ends the connections of those who were before.
func anchorsFile(anchors string) string { return "authorities/" + digest([]string{anchors}) + ".pem" }

// anchorsFiles are the trust anchors that listeners name, each once.
func (c *Config) anchorsFiles() []*File {
	by := map[string]*File{}
	var all []*File
	for _, l := range c.unit.Proxy.Listeners {
		anchors, demanded := c.demands(l)
		if !demanded || !endsTLS(l) || c.closes(l) {
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
			read = certificates(text)
		}
		c.made.anchors[text] = read
	}
	return read
}
