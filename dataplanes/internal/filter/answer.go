package filter

import (
	"io"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// Answer makes an answer of the proxy's own. For gRPC it is a trailers-only
// response: status 200, with a gRPC status that follows from the HTTP one.
// The message is shown to the client, and must not tell what is behind the
// proxy.
func Answer(status int, message string, grpc bool) *exchange.Response {
	if grpc {
		return &exchange.Response{Status: 200, Header: exchange.Header{
			{Name: "Content-Type", Value: "application/grpc"},
			{Name: "Grpc-Status", Value: strconv.Itoa(GRPCStatus(status))},
			{Name: "Grpc-Message", Value: grpcMessage(message)},
		}}
	}
	body := message + "\n"
	return &exchange.Response{
		Status: status,
		Header: exchange.Header{
			{Name: "Content-Type", Value: "text/plain; charset=utf-8"},
			{Name: "X-Content-Type-Options", Value: "nosniff"},
		},
		Body:   io.NopCloser(strings.NewReader(body)),
		Length: int64(len(body)),
	}
}

// The gRPC statuses that an HTTP status can stand for.
const (
	grpcUnknown          = 2
	grpcPermissionDenied = 7
	grpcUnimplemented    = 12
	grpcInternal         = 13
	grpcUnavailable      = 14
	grpcUnauthenticated  = 16
)

// GRPCStatus returns the gRPC status that stands for an HTTP status ("HTTP to
// gRPC Status Code Mapping" of the gRPC project).
func GRPCStatus(status int) int {
	switch status {
	case 400:
		return grpcInternal
	case 401:
		return grpcUnauthenticated
	case 403:
		return grpcPermissionDenied
	case 404:
		return grpcUnimplemented
	case 429, 502, 503, 504:
		return grpcUnavailable
	default:
		return grpcUnknown
	}
}

// grpcMessage percent-encodes a message ("gRPC over HTTP2", Status-Message).
func grpcMessage(message string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(message); i++ {
		c := message[i]
		if c >= ' ' && c <= '~' && c != '%' {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}
