package haproxy

import (
	"testing"

	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// TestListsOfCertificates change without a reload, unless it changes who is let in:
// whoever is connected would stay.
func TestListsOfCertificates(t *testing.T) {
	const a, b, demanding = "a.pem a.example\n", "b.pem b.example\n", "b.pem [verify required ca-file c.pem] b.example\n"
	for _, one := range []struct {
		name, have, want string
		reload           bool
	}{
		{"one comes", a, a + b, false},
		{"one goes", a + b, a, false},
		{"one that demands comes", a, a + demanding, true},
		{"one that demands goes", a + demanding, a, true},
		{"one demands from now on", a + b, a + demanding, true},
		{"the first changes", a, b, true},
	} {
		file := func(content string) *translator.File {
			return &translator.File{Name: "lists/443", Kind: translator.CertificateList, Content: content}
		}
		c := &change{}
		c.file(file(one.have), file(one.want))
		if c.reload != one.reload {
			t.Errorf("%s: reload %v, want %v", one.name, c.reload, one.reload)
		}
	}
}
