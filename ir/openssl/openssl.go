package openssl

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
)

// offered are the suites of TLS 1.2, by IANA's names and OpenSSL's, in the order in
// which they are preferred: all keep secrets after a key is lost.
var offered = []struct{ iana, name string }{
	{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
	{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
	{"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
	{"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
	{"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"},
	{"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"},
	{"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"},
	{"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"},
	{"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"},
	{"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"},
}

// Suites13 are those of TLS 1.3, which are not configurable, in the order in which they
// are preferred: OpenSSL would begin with the costlier one.
var Suites13 = []string{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}

// Usual returns the names of all suites of TLS 1.2 that are offered.
func Usual() []string {
	var all []string
	for _, suite := range offered {
		all = append(all, suite.name)
	}
	return all
}

// Suites returns the names of those suites of TLS 1.2 that are among some of IANA's.
func Suites(iana []string) []string {
	var all []string
	for _, name := range iana {
		if known := nameOf(name); known != "" {
			all = append(all, known)
		}
	}
	return all
}

// nameOf is empty for a suite that is not offered.
func nameOf(iana string) string {
	for _, suite := range offered {
		if suite.iana == iana {
			return suite.name
		}
	}
	return ""
}

// CheckSuites refuses what is no name of IANA's for a suite that is offered.
func CheckSuites(iana []string) error {
	for _, name := range iana {
		if nameOf(name) == "" && !slices.Contains(Suites13, name) {
			return fmt.Errorf("cipher suite %q is not one that this proxy offers for TLS 1.2", name)
		}
	}
	return nil
}

// Certificates returns the certificates of a text in PEM, without what else is there:
// all of it would be refused for that. It is empty where there are none.
func Certificates(text string) string {
	var all strings.Builder
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return all.String()
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err == nil {
			all.Write(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes}))
		}
	}
}
