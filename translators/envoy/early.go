package envoy

import (
	"strings"

	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	earlyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
)

// beforeRouting sets what trees read, over whatever the client sent, and what
// backends are told of the client.
func beforeRouting(claims []*mutationv3.HeaderMutation) *corev3.TypedExtensionConfig {
	return &corev3.TypedExtensionConfig{
		Name: "envoy.http.early_header_mutation.header_mutation",
		TypedConfig: typed(&earlyv3.HeaderMutation{Mutations: append([]*mutationv3.HeaderMutation{
			sets(pathHeaderName, pathHeaderValue, corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD),
			sets(askedHeaderName, askedHeaderValue, corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD),
		}, claims...)}),
	}
}

// claims are what the fields that say who asked become, where the entries of so
// many proxies are believed. What Envoy writes itself is not here:
// X-Forwarded-Proto, X-Forwarded-Port and X-Request-Id.
func claims(hops int) []*mutationv3.HeaderMutation {
	// Underscores and dots make a name that CGI, WSGI and others take for another.
	all := []*mutationv3.HeaderMutation{removes(notPassedOn(hops))}
	list, host := corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD, corev3.HeaderValueOption_ADD_IF_ABSENT
	if hops == 0 {
		list, host = corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD, corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
	}
	return append(all,
		sets("x-forwarded-for", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", list),
		sets("x-forwarded-host", "%REQ(:AUTHORITY)%", host),
	)
}

var (
	// ending are fields that end here.
	ending = []string{"proxy", "proxy-authenticate", "proxy-authorization", "http2-settings"}
	// unbelieved are those about the client that nothing is written over.
	unbelieved = []string{"forwarded", "x-real-ip", "x-request-id"}
	// imitated are those that must not come in another spelling.
	imitated = []string{
		"content-length", "transfer-encoding", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization",
		"http2-settings", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-forwarded-prefix",
		"x-forwarded-client-cert", "x-real-ip", "x-request-id", "true-client-ip",
	}
)

// notPassedOn is an expression of the names that are taken off every request.
func notPassedOn(hops int) string {
	all := append([]string(nil), ending...)
	if hops == 0 {
		all = append(all, unbelieved...)
	}
	for _, name := range imitated {
		all = append(all, imitations(name)...)
	}
	return strings.Join(all, "|")
}

// imitations are expressions of the spellings of a name but its own.
func imitations(name string) []string {
	words := strings.Split(name, "-")
	all := make([]string, 0, len(words)-1)
	for i := 1; i < len(words); i++ {
		all = append(all, strings.Join(words[:i], "-")+"[_.]"+strings.Join(words[i:], "[-_.]"))
	}
	return all
}

// notInTrailers is an expression of the names that a trailer may not have: those
// that frame a message, and those that a backend could take for the proxy's word.
func notInTrailers() string {
	all := append([]string{"host", "connection", "te", "trailer", "upgrade", "expect", "authorization", "cookie", "x-sluice-.*"}, ending...)
	all = append(all, unbelieved...)
	for _, name := range imitated {
		all = append(all, strings.ReplaceAll(name, "-", "[-_.]"))
	}
	return strings.Join(all, "|")
}

func sets(name, format string, how corev3.HeaderValueOption_HeaderAppendAction) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Append{Append: &corev3.HeaderValueOption{
		Header: &corev3.HeaderValue{Key: name, Value: format}, AppendAction: how,
	}}}
}

// removes takes off all fields whose names fit an expression.
func removes(pattern string) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_RemoveOnMatch_{
		RemoveOnMatch: &mutationv3.HeaderMutation_RemoveOnMatch{KeyMatcher: matching(pattern)},
	}}
}
