package haproxy

import (
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/openssl"
)

// systemCAs are the authorities that the system trusts, in HAProxy's words.
const systemCAs = "@system-ca"

// secure makes connections those of TLS, where the backend asks for it. It is false
// where the backend cannot be followed: nobody is there to speak to then, in plain
// text least of all.
func (u *upstream) secure() bool {
	t := u.backend.TLS
	if t == nil {
		return true
	}
	if t.Invalid != "" {
		return false
	}
	if beyondHAProxy(t) {
		// The agent opens it, and verifies.
		return true
	}
	anchors := u.anchors(t)
	if anchors == "" || !isHostname(t.Hostname) {
		return false
	}
	p := &u.params
	p.Ssl, p.Verify, p.SslCafile = "enabled", "required", anchors
	// Looking whether an endpoint is there again names the host too.
	p.Sni, p.CheckSni, p.Verifyhost = "str("+t.Hostname+")", t.Hostname, t.Hostname
	p.SslMinVer = "TLSv1.2"
	if !u.show(t) {
		return false
	}
	u.loads = "ssl verify required ca-file " + anchors
	if p.SslCertificate != "" {
		u.loads += " crt " + p.SslCertificate
	}
	return true
}

// anchors names the trust anchors of a backend; empty where nothing can verify. The
// name is the content's, so that what one set of them has let in is never taken for
// what another would.
func (u *upstream) anchors(t *ir.BackendTLS) string {
	if t.CAs == "" && t.SystemCAs {
		return systemCAs
	}
	content := openssl.Certificates(t.CAs)
	if content == "" {
		return ""
	}
	f := &File{Name: "trusted/" + digest([]string{content}) + ".pem", Kind: Authorities, Content: content}
	u.files = append(u.files, f)
	return f.Name
}

// isHostname says whether a text is a name of DNS and nothing else, so that it can
// stand in a server's line as it is.
func isHostname(text string) bool {
	for _, c := range []byte(text) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return text != ""
}

// load makes a section that nobody is led to, and that has HAProxy read the files that
// servers may name which come later: a running one reads none.
func (c *Config) load(u *upstream) {
	if u.loads == "" {
		return
	}
	c.keep("files_"+digest([]string{u.loads}), ir.Origin{}, func(name string) *Section {
		return &Section{Kind: "backend", Name: name, Lines: []string{"server none 127.0.0.1:1 disabled " + u.loads}}
	})
}

// upstreamFiles are what the servers of the unit's sections name, each once.
func (c *Config) upstreamFiles() []*File {
	by := map[string]*File{}
	var all []*File
	for _, u := range c.made.upstreams {
		for _, f := range u.files {
			if by[f.Name] == nil {
				by[f.Name] = f
				all = append(all, f)
			}
		}
	}
	return all
}
