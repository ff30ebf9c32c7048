package roots

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// some returns certificates in PEM, of Mozilla's.
func some(t *testing.T, n int) [][]byte {
	t.Helper()
	var all [][]byte
	for root := range bundle.Roots() {
		all = append(all, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		if len(all) == n {
			break
		}
	}
	return all
}

func env(of map[string]string) func(string) string {
	return func(name string) string { return of[name] }
}

func TestNamedOnesAreTheSystems(t *testing.T) {
	dir, certs := t.TempDir(), some(t, 3)
	file := filepath.Join(dir, "file.pem")
	more := filepath.Join(dir, "more")
	for name, text := range map[string][]byte{
		file:                          append([]byte("no certificate\n"), certs[0]...),
		filepath.Join(more, "one"):    certs[1],
		filepath.Join(more, "again"):  append(bytes.Clone(certs[0]), certs[1]...),
		filepath.Join(more, "broken"): []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := System(env(map[string]string{"SSL_CERT_FILE": file, "SSL_CERT_DIR": more}))
	if want := append(bytes.Clone(certs[0]), certs[1]...); !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWithoutAnyThoseThatAreCarriedCount(t *testing.T) {
	got := System(env(map[string]string{"SSL_CERT_FILE": "/does/not/exist", "SSL_CERT_DIR": "/does/not/exist"}))
	if !x509.NewCertPool().AppendCertsFromPEM(got) {
		t.Error("there are none")
	}
}
