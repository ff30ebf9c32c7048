package envoy

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	filev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/file/v3"
	setstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	setfilterstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/set_filter_state/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/sluice-gateway/sluice/ir"
)

// Envoy writes a line of JSON to its standard output for each request and each
// stream: {"l":[...]}. What reads it there counts, and writes the access log. So
// one line tells everything that is told of a request, for less than what Envoy's
// own metrics by route would cost; and Envoy escapes in it what clients wrote.

// LogField is a place in the list that is a line.
type LogField int

// The fields of a line. One that Envoy has nothing for is null.
const (
	// LogDoor is what was connected to: Config.Names knows it.
	LogDoor LogField = iota
	// LogKind is Envoy's type of a stream's line: TcpUpstreamConnected is no end.
	LogKind
	// LogTime is when it began, as RFC 3339 has it, in UTC.
	LogTime
	// LogMicros is how long it took from its first byte to its last one, in
	// microseconds; null where the last one was not sent. LogMillis always is there.
	LogMicros
	LogMillis
	LogClient
	LogMethod
	// LogHost is the authority, or the SNI of a stream.
	LogHost
	// LogPath is without the query.
	LogPath
	// LogAsked is "authority path" as they were before they were rewritten; null
	// where they were not.
	LogAsked
	LogProtocol
	LogStatus
	// LogBytes are those that the client was sent, LogBytesIn those that it sent over
	// a stream.
	LogBytes
	LogBytesIn
	// LogRoute is the route's name: ParseRoute reads it.
	LogRoute
	LogCluster
	LogEndpoint
	LogTries
	LogRequestID
	LogUserAgent
	// LogFlags, LogDetails, LogEnded and LogTransport are Envoy's words for what
	// became of it: %RESPONSE_FLAGS% and %CONNECTION_TERMINATION_DETAILS% of a stream,
	// %RESPONSE_CODE_DETAILS% of a request, %UPSTREAM_TRANSPORT_FAILURE_REASON%.
	LogFlags
	LogDetails
	LogEnded
	LogTransport
	// LogClosed and LogBackendClosed are how the connections of a stream were closed
	// by the other side: "RemoteReset" where they were cut off.
	LogClosed
	LogBackendClosed
	// LogSaid is our word for it, where a script of ours answered: flag of the
	// dynamic metadata "sluice".
	LogSaid
	// LogFields is how many there are.
	LogFields
)

// LogKey is the key that a line has its list under.
const LogKey = "l"

// askedState is the filter state that keeps what is rewritten.
const askedState = "sluice.asked"

// keepAsked is the first filter of a route that rewrites: the access log has what
// the client asked for, and Envoy forgets it.
func keepAsked() *corev3.TypedExtensionConfig {
	return &corev3.TypedExtensionConfig{Name: "asked", TypedConfig: typed(&setfilterstatev3.Config{
		OnRequestHeaders: []*setstatev3.FilterStateValue{{
			Key:        &setstatev3.FilterStateValue_ObjectKey{ObjectKey: askedState},
			FactoryKey: "envoy.string",
			Value: &setstatev3.FilterStateValue_FormatString{FormatString: &corev3.SubstitutionFormatString{
				Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: inline("%REQ(:AUTHORITY)% %PATH(NQ)%")},
			}},
		}},
	})}
}

// sharedFormats are what requests and streams have in common.
var sharedFormats = map[LogField]string{
	LogTime:      "%START_TIME(%Y-%m-%dT%H:%M:%S.%9fZ)%",
	LogMillis:    "%DURATION%",
	LogClient:    "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
	LogBytes:     "%BYTES_SENT%",
	LogCluster:   "%UPSTREAM_CLUSTER%",
	LogEndpoint:  "%UPSTREAM_HOST%",
	LogTries:     "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
	LogTransport: "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
}

var requestFormats = map[LogField]string{
	LogMicros:    "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
	LogMethod:    "%REQ(:METHOD)%",
	LogHost:      "%REQ(:AUTHORITY)%",
	LogPath:      "%PATH(NQ)%",
	LogAsked:     "%FILTER_STATE(" + askedState + ":PLAIN)%",
	LogProtocol:  "%PROTOCOL%",
	LogStatus:    "%RESPONSE_CODE%",
	LogRoute:     "%ROUTE_NAME%",
	LogRequestID: "%REQ(X-REQUEST-ID)%",
	LogUserAgent: "%REQ(USER-AGENT)%",
	LogDetails:   "%RESPONSE_CODE_DETAILS%",
	LogSaid:      "%DYNAMIC_METADATA(sluice:flag)%",
}

// requestLog has a line written for each request that comes in by a door.
func requestLog(door string) []*accesslogv3.AccessLog { return lineOf(door, requestFormats) }

// streamLog has a line written for each connection or session of layer 4 that
// comes in by a door.
func streamLog(door string, protocol ir.Protocol) []*accesslogv3.AccessLog {
	return lineOf(door, map[LogField]string{
		LogKind:     "%ACCESS_LOG_TYPE%",
		LogHost:     "%REQUESTED_SERVER_NAME%",
		LogProtocol: string(protocol),
		LogBytesIn:  "%BYTES_RECEIVED%",
		LogFlags:    "%RESPONSE_FLAGS%",
		LogEnded:    "%CONNECTION_TERMINATION_DETAILS%",

		LogClosed:        "%DOWNSTREAM_DETECTED_CLOSE_TYPE%",
		LogBackendClosed: "%UPSTREAM_DETECTED_CLOSE_TYPE%",
	})
}

// lineOf always is the same for a door, whatever the settings are: a listener
// that changes drains its connections. A door is called by ports and hostnames,
// which have no percent sign.
func lineOf(door string, own map[LogField]string) []*accesslogv3.AccessLog {
	list := make([]*structpb.Value, LogFields)
	for i := range list {
		format := sharedFormats[LogField(i)]
		if text := own[LogField(i)]; text != "" {
			format = text
		}
		if list[i] = structpb.NewNullValue(); format != "" {
			list[i] = structpb.NewStringValue(format)
		}
	}
	list[LogDoor] = structpb.NewStringValue(door)
	return []*accesslogv3.AccessLog{{
		Name: "envoy.access_loggers.file",
		ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: typed(&filev3.FileAccessLog{
			Path: "/dev/stdout",
			AccessLogFormat: &filev3.FileAccessLog_LogFormat{LogFormat: &corev3.SubstitutionFormatString{
				Format: &corev3.SubstitutionFormatString_JsonFormat{JsonFormat: &structpb.Struct{Fields: map[string]*structpb.Value{
					LogKey: structpb.NewListValue(&structpb.ListValue{Values: list}),
				}}},
			}},
		})},
	}}
}
