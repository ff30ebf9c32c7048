package wire

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/exchange"
)

// hopByHop are the fields that end here (RFC 9110, section 7.6.1), beside those
// that Connection names. Length and framing are net/http's to say.
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length", "Host", "Http2-Settings",
}

// ours are names that the proxy vouches for. Backends that write "_" or "." for
// "-" would take a client's own spelling for ours.
var ours = []string{
	"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Request-Id",
	"X-Real-Ip", "Forwarded",
}

var spelling = strings.NewReplacer("_", "-", ".", "-")

// endToEnd returns the fields that may pass.
func endToEnd(h http.Header) exchange.Header {
	named := connectionNamed(h)
	fields := make(exchange.Header, 0, len(h)+8)
	for name, values := range h {
		if slices.Contains(hopByHop, name) || slices.Contains(named, name) || disguised(name) {
			continue
		}
		for _, v := range values {
			fields = append(fields, exchange.Field{Name: name, Value: v})
		}
	}
	return fields
}

func connectionNamed(h http.Header) []string {
	var names []string
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			names = append(names, textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)))
		}
	}
	return names
}

// disguised says whether a name is another spelling of one of ours.
func disguised(name string) bool {
	if !strings.ContainsAny(name, "_.") {
		return false
	}
	return slices.Contains(ours, textproto.CanonicalMIMEHeaderKey(spelling.Replace(name)))
}

// wantsTrailers keeps the one value of TE that gRPC servers insist on.
func wantsTrailers(h http.Header) bool {
	for _, line := range h["Te"] {
		for v := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(v), "trailers") {
				return true
			}
		}
	}
	return false
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
