package envoy

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	casev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/header_formatters/preserve_case/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/ir"
)

// What is asked of backends of HTTP is the same as of the Go proxy's.
const (
	// backendIdle is shorter than what servers commonly allow, so that a request
	// seldom meets a connection that its server is about to close.
	backendIdle = 30 * time.Second
	// answerHeaderKB and answerFields bound the header of an answer.
	answerHeaderKB = 1 << 10
	answerFields   = 1000
	// silence is how long a connection of HTTP/2 may have been idle until the next
	// request goes with a ping, and how long that has for its answer. There is no
	// ping beside requests that take long: servers of gRPC take many for an attack.
	silence = 10 * time.Second
	// streamWindow bounds, in bytes, what is read of an answer of HTTP/2 ahead of
	// its client, and connectionWindow of all that share a connection.
	streamWindow     = 256 << 10
	connectionWindow = 16 << 20
)

// httpOptions say which HTTP is spoken; nil for what is not HTTP.
func httpOptions(p ir.BackendProtocol) *httpv3.HttpProtocolOptions {
	explicit := &httpv3.HttpProtocolOptions_ExplicitHttpConfig{}
	switch p {
	case ir.BackendHTTP1:
		explicit.ProtocolConfig = &httpv3.HttpProtocolOptions_ExplicitHttpConfig_HttpProtocolOptions{
			HttpProtocolOptions: &corev3.Http1ProtocolOptions{EnableTrailers: true, HeaderKeyFormat: caseKept()},
		}
	case ir.BackendH2, ir.BackendH2C:
		explicit.ProtocolConfig = &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
			Http2ProtocolOptions: http2Options(),
		}
	default:
		return nil
	}
	return &httpv3.HttpProtocolOptions{
		CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{
			IdleTimeout: durationpb.New(backendIdle), MaxHeadersCount: wrapperspb.UInt32(answerFields),
			MaxResponseHeadersKb: wrapperspb.UInt32(answerHeaderKB),
		},
		UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: explicit},
	}
}

// caseKept leaves the names of fields as they were written, both ways, where client
// and backend speak HTTP/1.1.
func caseKept() *corev3.Http1ProtocolOptions_HeaderKeyFormat {
	return &corev3.Http1ProtocolOptions_HeaderKeyFormat{HeaderFormat: &corev3.Http1ProtocolOptions_HeaderKeyFormat_StatefulFormatter{
		StatefulFormatter: &corev3.TypedExtensionConfig{
			Name: "envoy.http.stateful_header_formatters.preserve_case",
			TypedConfig: typed(&casev3.PreserveCaseFormatterConfig{
				FormatterTypeOnEnvoyHeaders: casev3.PreserveCaseFormatterConfig_PROPER_CASE,
			}),
		},
	}}
}

func http2Options() *corev3.Http2ProtocolOptions {
	return &corev3.Http2ProtocolOptions{
		InitialStreamWindowSize:     wrapperspb.UInt32(streamWindow),
		InitialConnectionWindowSize: wrapperspb.UInt32(connectionWindow),
		ConnectionKeepalive: &corev3.KeepaliveSettings{
			ConnectionIdleInterval: durationpb.New(silence), Timeout: durationpb.New(silence),
		},
		// An answer that is none ends its request, and not all others of the connection.
		OverrideStreamErrorOnInvalidHttpMessage: wrapperspb.Bool(true),
	}
}
