package roots

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// Files and directories are where systems keep them (crypto/x509, root_linux.go):
// the first file that is there counts, and all directories.
var (
	files = []string{
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem",
		"/etc/pki/tls/cacert.pem",
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
		"/etc/ssl/cert.pem",
	}
	directories = []string{"/etc/ssl/certs", "/etc/pki/tls/certs"}
)

// System returns them in PEM, each once; never none.
func System(getenv func(string) string) []byte {
	f, d := files, directories
	if named := getenv("SSL_CERT_FILE"); named != "" {
		f = []string{named}
	}
	if named := getenv("SSL_CERT_DIR"); named != "" {
		d = filepath.SplitList(named)
	}
	var s set
	s.addFirst(f)
	for _, directory := range d {
		s.addDirectory(directory)
	}
	if len(s.pem) == 0 {
		s.addCarried()
	}
	return s.pem
}

// set is certificates in PEM.
type set struct {
	seen map[string]bool
	pem  []byte
}

func (s *set) addFirst(files []string) {
	for _, name := range files {
		if text, err := os.ReadFile(name); err == nil {
			s.addPEM(text)
			return
		}
	}
}

func (s *set) addDirectory(name string) {
	entries, err := os.ReadDir(name)
	if err != nil {
		return
	}
	for _, e := range entries {
		if text, err := os.ReadFile(filepath.Join(name, e.Name())); err == nil {
			s.addPEM(text)
		}
	}
}

// addPEM adds the certificates of a text. What is none is left out: Envoy would
// refuse all of them for it.
func (s *set) addPEM(text []byte) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" || len(block.Headers) > 0 {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err == nil {
			s.add(block.Bytes)
		}
	}
}

// addCarried adds Mozilla's, but for those that it trusts only for what they have
// signed before some day: there is no way to say so to Envoy.
func (s *set) addCarried() {
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			s.add(root.Certificate)
		}
	}
}

func (s *set) add(der []byte) {
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	if !s.seen[string(der)] {
		s.seen[string(der)] = true
		s.pem = append(s.pem, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: slices.Clone(der)})...)
	}
}
