package gatewayapi

import (
	"strings"
	"testing"
)

func TestWhatToWriteInsteadOfACipher(t *testing.T) {
	for name, want := range map[string]string{
		"ECDHE-RSA-AES128-GCM-SHA256":            "did you mean TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256?",
		"ecdhe-ecdsa-aes256-gcm-sha384":          "did you mean TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384?",
		"ECDHE-RSA-CHACHA20-POLY1305":            "did you mean TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256?",
		"ECDHE-RSA-AES128-SHA":                   "did you mean TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA?",
		"tls_ecdhe_rsa_with_aes_128_gcm_sha256":  "did you mean TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256?",
		"TLS_AES_128_GCM_SHA256":                 "suites of TLS 1.3 are always on",
		"TLS_RSA_WITH_AES_128_GCM_SHA256":        "use IANA names",
		"DHE-RSA-AES128-GCM-SHA256":              "use IANA names",
		"ECDHE-RSA-AES128-GCM-SHA256:AES256-SHA": "use IANA names",
		"":                                       "use IANA names",
		"ECDHE-RSA-AES128-SHA256":                "use IANA names",
	} {
		if got := insteadOf(name); !strings.HasPrefix(got, want) {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
