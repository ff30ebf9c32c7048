package h3

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
)

// hopByHop are the fields that end here (RFC 9110, section 7.6.1). Length and
// framing are quic-go's to say, and Expect is answered here.
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length", "Host", "Http2-Settings",
	"Expect",
}

// ours are names that the proxy vouches for. Backends that write "_" or "." for
// "-" would take a client's own spelling for ours.
var ours = []string{
	"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Request-Id",
	"X-Real-Ip", "Forwarded",
}

var spelling = strings.NewReplacer("_", "-", ".", "-")

// endToEnd returns the fields that may pass. What Connection names is not among
// them: messages with such a field are malformed here (RFC 9114, section 4.2).
func endToEnd(h http.Header) exchange.Header {
	fields := make(exchange.Header, 0, len(h)+8)
	for name, values := range h {
		if slices.Contains(hopByHop, name) || disguised(name) {
			continue
		}
		for _, v := range values {
			fields = append(fields, exchange.Field{Name: name, Value: v})
		}
	}
	return fields
}

// disguised says whether a name is another spelling of one of ours.
func disguised(name string) bool {
	if !strings.ContainsAny(name, "_.") {
		return false
	}
	return slices.Contains(ours, textproto.CanonicalMIMEHeaderKey(spelling.Replace(name)))
}

// announced returns the names of the trailers to come, without values; nil
// where there are none.
func announced(trailer http.Header) *exchange.Header {
	if len(trailer) == 0 {
		return nil
	}
	names := exchange.Header{}
	for name := range trailer {
		if mayTrail(name) {
			names.Add(name, "")
		}
	}
	return &names
}

func allowedTrailers(trailer http.Header) exchange.Header {
	fields := exchange.Header{}
	for name, values := range trailer {
		if !mayTrail(name) {
			continue
		}
		for _, v := range values {
			fields.Add(name, v)
		}
	}
	return fields
}

// neverTrail are names that change what a request means, who sent it, or how it
// is framed: a backend that merges trailers into the header would believe them
// (RFC 9110, section 6.5.1).
var neverTrail = []string{
	"Authorization", "Cookie", "Set-Cookie", "Content-Encoding", "Content-Type", "Content-Range",
	"Cache-Control", "Expect", "Max-Forwards", "Range", "Traceparent", "Tracestate",
}

func mayTrail(name string) bool {
	return !slices.Contains(hopByHop, name) && !slices.Contains(ours, name) &&
		!slices.Contains(neverTrail, name) && !disguised(name)
}
