package envoy

import (
	"bytes"
	"cmp"
	"encoding/pem"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// systemAuthorities are where systems have the certificates that they trust, as a
// file; the first that is there counts, as it does for programs in Go.
var systemAuthorities = []string{
	"/etc/ssl/certs/ca-certificates.crt",                // Debian, Ubuntu, Alpine, distroless images.
	"/etc/pki/tls/certs/ca-bundle.crt",                  // Fedora, RHEL 6.
	"/etc/ssl/ca-bundle.pem",                            // openSUSE.
	"/etc/pki/tls/cacert.pem",                           // OpenELEC.
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // CentOS, RHEL 7.
	"/etc/ssl/cert.pem",                                 // Alpine, macOS.
}

// authorities is the file of what the system trusts: what SSL_CERT_FILE names or
// the system has or, where it has none, what this program was built with, written
// into a process's folder.
func (f files) authorities() (string, error) {
	for _, path := range append([]string{os.Getenv("SSL_CERT_FILE")}, systemAuthorities...) {
		if info, err := os.Stat(cmp.Or(path, "/nowhere")); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	path := filepath.Join(f.dir, "authorities.pem")
	return path, os.WriteFile(path, builtIn(), 0o600)
}

// builtIn are the certificates that this program was built with, as PEM.
var builtIn = sync.OnceValue(func() []byte {
	var all bytes.Buffer
	for root := range bundle.Roots() {
		// A bytes.Buffer takes all that it is given.
		_ = pem.Encode(&all, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
	}
	return all.Bytes()
})
