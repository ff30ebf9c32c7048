package envoy

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// reply is an answer of Envoy's own.
type reply struct {
	status uint32
	text   string
}

// replies are all that there are, but for redirects and the like, which have no
// text.
var replies = []reply{
	{400, "Bad Request"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{408, "Request Timeout"},
	{413, "Request Entity Too Large"},
	{414, "Request URI Too Long"},
	{417, "Expectation Failed"},
	{421, "Misdirected Request"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
	{505, "HTTP Version Not Supported"},
	{508, "Loop Detected"},
}

// localReplies writes what Envoy answers itself as the other proxies do: nothing
// in it tells what is behind the proxy. The first mapper that fits is the one.
func localReplies() *hcmv3.LocalReplyConfig {
	return &hcmv3.LocalReplyConfig{Mappers: append(exceptions(), mappersOfAll()...)}
}

// exceptions are answers that an authorization server wrote; those to backends that
// end a connection instead of answering, which Envoy calls 503; and those to what is
// turned away (requestsFilter).
func exceptions() []*hcmv3.ResponseMapper {
	// Any success but 200 is no yes, and must not look like one.
	all := mappers(reply{403, "Access denied."}, together(flagged("UAEX"), below(300)))
	all = append(all, &hcmv3.ResponseMapper{Filter: flagged("UAEX")})
	all = append(all, mappers(reply{502, "Bad Gateway"}, flagged("UC", "UR", "UPE"))...)
	shed := mappers(reply{503, "Service Unavailable"}, hasStatus(shedStatus))
	for _, m := range shed {
		// Nothing of the request has gone anywhere: a client may send it again.
		m.HeadersToAdd = append(m.HeadersToAdd, &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: "retry-after", Value: "1"},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		})
	}
	return append(all, shed...)
}

func mappersOfAll() []*hcmv3.ResponseMapper {
	all := make([]*hcmv3.ResponseMapper, 0, 2*len(replies))
	for _, r := range replies {
		all = append(all, mappers(r, hasStatus(r.status))...)
	}
	return all
}

// mappers answer calls of gRPC, whose status follows from that of HTTP, and all
// others.
func mappers(r reply, where *accesslogv3.AccessLogFilter) []*hcmv3.ResponseMapper {
	status := wrapperspb.UInt32(r.status)
	return []*hcmv3.ResponseMapper{
		{Filter: together(where, callsOfGRPC()), StatusCode: status, Body: inline(r.text)},
		{
			Filter: where, StatusCode: status,
			BodyFormatOverride: &corev3.SubstitutionFormatString{
				Format:      &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: inline(r.text + "\n")},
				ContentType: "text/plain; charset=utf-8",
			},
			HeadersToAdd: []*corev3.HeaderValueOption{{
				Header:       &corev3.HeaderValue{Key: "x-content-type-options", Value: "nosniff"},
				AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
			}},
		},
	}
}

func flagged(flags ...string) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ResponseFlagFilter{
		ResponseFlagFilter: &accesslogv3.ResponseFlagFilter{Flags: flags},
	}}
}

func hasStatus(status uint32) *accesslogv3.AccessLogFilter {
	return compared(accesslogv3.ComparisonFilter_EQ, status)
}

func below(status uint32) *accesslogv3.AccessLogFilter {
	return compared(accesslogv3.ComparisonFilter_LE, status-1)
}

func compared(op accesslogv3.ComparisonFilter_Op, status uint32) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_StatusCodeFilter{
		StatusCodeFilter: &accesslogv3.StatusCodeFilter{Comparison: &accesslogv3.ComparisonFilter{
			Op:    op,
			Value: &corev3.RuntimeUInt32{DefaultValue: status, RuntimeKey: "sluice.none"},
		}},
	}}
}

// callsOfGRPC are told from its relatives, such as application/grpc-web.
func callsOfGRPC() *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_HeaderFilter{
		HeaderFilter: &accesslogv3.HeaderFilter{Header: &routev3.HeaderMatcher{
			Name:                 "content-type",
			HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: matching(`(?i)application/grpc(?:[+; ].*)?`)},
		}},
	}}
}

func together(filters ...*accesslogv3.AccessLogFilter) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_AndFilter{
		AndFilter: &accesslogv3.AndFilter{Filters: filters},
	}}
}
