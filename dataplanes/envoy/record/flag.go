package record

import (
	"strings"

	envoy "github.com/sluice-gateway/sluice/translators/envoy"
)

// The flags of docs/metrics.md that are failures of a backend, or of the way to
// it: those are counted by kind.
const (
	noEndpoints  = "no_endpoints"
	noConnection = "connection_failure"
	timeout      = "timeout"
	broken       = "backend_reset"
	invalidTLS   = "invalid_backend_tls"
	bodyTooLarge = "body_too_large"
	clientGone   = "client_gone"
	stalled      = "client_stalled"
	unknown      = "unknown_backend"
	cutOff       = "cut_off"
	overloaded   = "overloaded"
	filter       = "filter"
)

var failures = map[string]bool{
	noEndpoints: true, noConnection: true, timeout: true, broken: true, invalidTLS: true, bodyTooLarge: true,
	clientGone: true, stalled: true, unknown: true, cutOff: true,
}

// byDetails is what Envoy's words for an answer, or its end, are called here. They
// are compared up to a brace, which holds a cause.
var byDetails = map[string]string{
	"via_upstream":                                "",
	"route_not_found":                             noRoute,
	"missing_host_header":                         "no-host",
	"no_healthy_upstream":                         noEndpoints,
	"cluster_not_found":                           unknown,
	"upstream_response_timeout":                   timeout,
	"response_timeout":                            timeout,
	"upstream_per_try_timeout":                    timeout,
	"upstream_max_stream_duration_reached":        timeout,
	"max_duration_timeout":                        timeout,
	"upstream_reset_after_response_started":       cutOff,
	"downstream_remote_disconnect":                clientGone,
	"downstream_local_disconnect":                 clientGone,
	"http1.unexpected_underscore":                 "bad-header-name",
	"http2.remote_reset":                          clientGone,
	"http2.remote_refuse":                         clientGone,
	"http3.remote_reset":                          clientGone,
	"stream_idle_timeout":                         stalled,
	"request_timeout":                             stalled,
	"request_header_timeout":                      "slow-head",
	"request_payload_too_large":                   bodyTooLarge,
	"request_payload_exceeded_retry_buffer_limit": bodyTooLarge,
	"overload":                                    overloaded,
	"upstream_overflow":                           overloaded,
	"maintenance_mode":                            overloaded,
	"http1.headers_too_large":                     "long-head",
	"http2.headers_too_large":                     "long-head",
	"http3.headers_too_large":                     "long-head",
	"request_headers_too_large":                   "long-head",
	"http1.too_many_headers":                      "too-many-fields",
	"http2.too_many_headers":                      "too-many-fields",
	"http3.too_many_headers":                      "too-many-fields",
	"ext_authz_denied":                            filter,
	"ext_authz_error":                             filter,
	"lua_response":                                filter,
	"direct_response":                             filter,
	"rbac_access_denied":                          filter,
	"cors_preflight":                              filter,
}

// flagOf says why it was not a backend that answered, or why not to the end. What
// a route or a script of ours says of itself comes first.
func (l *line) flagOf(of envoy.Named) string {
	details, _, _ := strings.Cut(l[envoy.LogDetails], "{")
	switch {
	case l[envoy.LogSaid] != "":
		return l[envoy.LogSaid]
	case of.Flag != "" && (details == "direct_response" || details == "route_not_found"):
		return of.Flag
	case l[envoy.LogPath] == "*" && details == "lua_response":
		// OPTIONS of the server as a whole is answered, not refused.
		return ""
	case strings.HasPrefix(details, "upstream_reset_before_response_started"):
		return l.resetOf()
	}
	if flag, ok := byDetails[details]; ok {
		return flag
	}
	return word(details)
}

// resetOf says why a backend has not answered.
func (l *line) resetOf() string {
	details := l[envoy.LogDetails]
	switch {
	case failedTLS(l[envoy.LogTransport]) || failedTLS(details):
		return invalidTLS
	case strings.Contains(details, "connection_failure") || strings.Contains(details, "connection_timeout"):
		return noConnection
	case strings.Contains(details, "overflow"):
		return overloaded
	default:
		return broken
	}
}

func failedTLS(reason string) bool { return strings.Contains(reason, "TLS_error") }

// streamFlag says why a stream got nowhere, or how it ended; empty for an ordinary
// end.
func (l *line) streamFlag(of envoy.Named) string {
	flags := l[envoy.LogFlags]
	has := func(flag string) bool { return contains(flags, flag) }
	switch {
	case of.Flag != "":
		return of.Flag
	case failedTLS(l[envoy.LogTransport]):
		return invalidTLS
	case has("NC"):
		return "no_backend"
	case has("UH"):
		return noEndpoints
	case has("UF"), has("URX"):
		return noConnection
	case has("UO"), has("OM"):
		return overloaded
	case has("SI"), has("DC") && strings.Contains(l[envoy.LogEnded], "idle"):
		return "idle"
	case l[envoy.LogClosed] == "RemoteReset":
		return clientGone
	case l[envoy.LogBackendClosed] == "RemoteReset", has("UC"), has("UR"):
		return broken
	default:
		return ""
	}
}

// contains reports whether a list with commas has a word.
func contains(list, word string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if one == word {
			return true
		}
	}
	return false
}

// longestWord bounds what is made of words that nobody has listed.
const longestWord = 64

// word makes a flag of words of Envoy's that are not listed: letters and digits
// with hyphens, without the codec that they come from.
func word(details string) string {
	if _, after, ok := strings.Cut(details, "."); ok {
		details = after
	}
	b := make([]byte, 0, len(details))
	for i := 0; i < len(details) && len(b) < longestWord; i++ {
		switch c := details[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			b = append(b, c)
		case c >= 'A' && c <= 'Z':
			b = append(b, c|0x20)
		case len(b) > 0 && b[len(b)-1] != '-':
			b = append(b, '-')
		}
	}
	return strings.TrimRight(string(b), "-")
}
