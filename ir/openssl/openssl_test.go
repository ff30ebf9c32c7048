package openssl_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/ir/openssl"
)

// What Go offers with forward secrecy, proxies with OpenSSL do as well.
func TestSuites(t *testing.T) {
	var all []string
	for _, suite := range tls.CipherSuites() {
		if strings.HasPrefix(suite.Name, "TLS_ECDHE_") {
			all = append(all, suite.Name)
		}
	}
	if got := openssl.Suites(all); len(got) != len(all) {
		t.Errorf("%d of %d: %v", len(got), len(all), got)
	}
	if err := openssl.CheckSuites(append(all, openssl.Suites13...)); err != nil {
		t.Error(err)
	}
	if err := openssl.CheckSuites([]string{"TLS_RSA_WITH_RC4_128_SHA"}); err == nil || len(openssl.Suites([]string{"TLS_RSA_WITH_RC4_128_SHA"})) > 0 {
		t.Error("a weak suite is taken")
	}
}

func TestNoCertificates(t *testing.T) {
	for _, text := range []string{"", "none", "-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n", "-----BEGIN PRIVATE KEY-----\nbm9uZQ==\n-----END PRIVATE KEY-----\n"} {
		if got := openssl.Certificates(text); got != "" {
			t.Errorf("%q: %q", text, got)
		}
	}
}
