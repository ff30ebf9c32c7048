package envoy

import (
	"math"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	uuidv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/request_id/uuid/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/ir"
)

// manager is how the connections of a listener are served.
func (c *Config) manager(l *ir.Listener) *hcmv3.HttpConnectionManager {
	s := &c.unit.Proxy.Settings
	m := &hcmv3.HttpConnectionManager{
		StatPrefix: "http",
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{
			RouteConfigName: routesName(l),
			ConfigSource:    fromAgent(),
		}},
		AccessLog:                    requestLog(routesName(l)),
		HttpFilters:                  c.httpFilters(),
		LocalReplyConfig:             localReplies(),
		ServerHeaderTransformation:   hcmv3.HttpConnectionManager_PASS_THROUGH,
		NormalizePath:                wrapperspb.Bool(true),
		MergeSlashes:                 true,
		PathWithEscapedSlashesAction: hcmv3.HttpConnectionManager_REJECT_REQUEST,
		// Responses of the kind 1xx pass with it alone.
		Proxy_100Continue: true,
		UpgradeConfigs:    []*hcmv3.HttpConnectionManager_UpgradeConfig{{UpgradeType: "websocket"}},
	}
	if s.Path.KeepEncodedSlashes {
		m.PathWithEscapedSlashesAction = hcmv3.HttpConnectionManager_KEEP_UNCHANGED
	}
	believe(m, s)
	bound(m, s)
	return m
}

// believe says who the client is taken for.
func believe(m *hcmv3.HttpConnectionManager, s *ir.Settings) {
	hops := max(0, s.ClientIP.TrustedHops)
	m.EarlyHeaderMutationExtensions = []*corev3.TypedExtensionConfig{beforeRouting(claims(hops))}
	m.UseRemoteAddress = wrapperspb.Bool(true)
	// Envoy would write an address of this machine for a client on it.
	m.SkipXffAppend = true
	if hops > 0 {
		// The last entry is that of the nearest proxy, as claims has written it.
		m.XffNumTrustedHops = uint32(hops) + 1 //nolint:gosec // The CRD bounds it.
	}
	m.AppendXForwardedPort = true
	m.PreserveExternalRequestId = hops > 0
	m.RequestIdExtension = &hcmv3.RequestIDExtension{
		// The reason for a trace would be written into the identity.
		TypedConfig: typed(&uuidv3.UuidRequestIdConfig{PackTraceReason: wrapperspb.Bool(false)}),
	}
	m.ForwardClientCertDetails = hcmv3.HttpConnectionManager_ALWAYS_FORWARD_ONLY
}

// bound says what a client may hold, and for how long.
func bound(m *hcmv3.HttpConnectionManager, s *ir.Settings) {
	m.RequestHeadersTimeout = durationpb.New(time.Duration(s.Timeouts.RequestHeader))
	// It would end what is silent on both sides too, such as a long poll.
	m.StreamIdleTimeout = durationpb.New(0)
	if s.Timeouts.Stall > 0 {
		m.StreamFlushTimeout = durationpb.New(time.Duration(s.Timeouts.Stall))
		m.RequestTimeout = durationpb.New(time.Duration(s.Timeouts.Stall) * slowest)
	}
	m.MaxRequestHeadersKb = headerKiB(s.Limits.RequestHeaderBytes)
	m.CommonHttpProtocolOptions = &corev3.HttpProtocolOptions{IdleTimeout: durationpb.New(time.Duration(s.Timeouts.Idle))}
	if n := s.Limits.RequestHeaderCount; n > 0 {
		m.CommonHttpProtocolOptions.MaxHeadersCount = wrapperspb.UInt32(uint32(min(n, math.MaxInt32))) //nolint:gosec // It is no negative number.
	}
	m.HttpProtocolOptions = &corev3.Http1ProtocolOptions{
		AcceptHttp_10: true, EnableTrailers: true, AllowCustomMethods: true, HeaderKeyFormat: caseKept(),
		IgnoreHttp_11Upgrade: []*typev3.StringMatcher{matching(notWebSocket)},
	}
	m.Http2ProtocolOptions = &corev3.Http2ProtocolOptions{
		AllowConnect: true,
		// A request that is malformed ends itself alone (RFC 9113, section 8.1.1): one
		// connection has those of many clients where a proxy is in front.
		OverrideStreamErrorOnInvalidHttpMessage: wrapperspb.Bool(true),
		InitialStreamWindowSize:                 wrapperspb.UInt32(clientStreamWindow),
		InitialConnectionWindowSize:             wrapperspb.UInt32(clientConnectionWindow),
	}
	if n := s.Limits.ConcurrentStreams; n > 0 {
		m.Http2ProtocolOptions.MaxConcurrentStreams = wrapperspb.UInt32(uint32(min(n, math.MaxInt32))) //nolint:gosec // It is no negative number.
	}
}

const (
	// slowest is how many stalls a request may take until it has come whole, where
	// nothing has been answered: Envoy cannot measure a stall alone.
	slowest = 60
	// The windows are what a client of HTTP/2 may send ahead, in bytes.
	clientStreamWindow     = 256 << 10
	clientConnectionWindow = 1 << 20
	// mostHeaderKiB is the most that Envoy takes.
	mostHeaderKiB = 8192
)

// notWebSocket is every upgrade but the one that is passed on. A server may take
// no notice of an Upgrade field (RFC 9110, section 7.8).
const notWebSocket = `(?i).{0,8}|.{10,}|[^w].{8}|.[^e].{7}|..[^b].{6}|.{3}[^s].{5}|.{4}[^o].{4}|.{5}[^c].{3}|.{6}[^k].{2}|.{7}[^e].|.{8}[^t]`

// headerKiB rounds up, as Envoy knows no smaller unit.
func headerKiB(bytes int) *wrapperspb.UInt32Value {
	if bytes <= 0 {
		return wrapperspb.UInt32(mostHeaderKiB)
	}
	return wrapperspb.UInt32(uint32(min((int64(bytes)+1023)/1024, mostHeaderKiB))) //nolint:gosec // It is between 1 and 8192.
}

func matching(pattern string) *typev3.StringMatcher {
	return &typev3.StringMatcher{MatchPattern: &typev3.StringMatcher_SafeRegex{SafeRegex: &typev3.RegexMatcher{
		Regex: pattern,
	}}}
}
