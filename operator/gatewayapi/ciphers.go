package gatewayapi

import (
	"crypto/tls"
	"slices"
	"strings"
)

func offered(cipher string) bool { return slices.Contains(cipherNames, cipher) }

// cipherNames are the suites of TLS 1.2 with forward secrecy that Go knows no
// weakness of.
var cipherNames = func() []string {
	var names []string
	for _, s := range tls.CipherSuites() {
		if slices.Contains(s.SupportedVersions, tls.VersionTLS12) && strings.HasPrefix(s.Name, "TLS_ECDHE_") {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return names
}()

// insteadOf says what to write where a cipher suite cannot be had. Lists of
// suites come from other proxies, which use OpenSSL's names.
func insteadOf(name string) string {
	if i := slices.IndexFunc(cipherNames, func(known string) bool { return cipherKey(known) == cipherKey(name) }); i >= 0 {
		return "did you mean " + cipherNames[i] + "?"
	}
	if isOf13(name) {
		return "suites of TLS 1.3 are always on and not configurable; remove it"
	}
	return "use IANA names of TLS 1.2 suites with forward secrecy: " + strings.Join(cipherNames, ", ")
}

// cipherKey is the same for the names that IANA and OpenSSL have for a suite.
func cipherKey(name string) string {
	key := strings.NewReplacer("TLS_", "", "WITH_", "", "CBC_", "", "_", "", "-", "").Replace(strings.ToUpper(name))
	return strings.Replace(key, "POLY1305SHA256", "POLY1305", 1)
}

// isOf13 reports whether a suite is one of TLS 1.3.
func isOf13(name string) bool {
	return slices.ContainsFunc(tls.CipherSuites(), func(s *tls.CipherSuite) bool {
		return s.Name == name && slices.Equal(s.SupportedVersions, []uint16{tls.VersionTLS13})
	})
}
