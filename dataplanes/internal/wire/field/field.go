package field

import "strings"

// Kind is what a field's name means to whoever reads a message.
type Kind uint8

// The kinds of field, which are called by their names where nothing is said.
const (
	// Plain is any other field.
	Plain Kind = iota
	// Hop is a field that ends at the next hop, or that a proxy takes for itself.
	Hop
	Host
	Length
	Coding
	Connection
	Upgrade
	Expect
	Trailer
	TE
	// Guarded is a field that proxies write and backends believe.
	Guarded
	// Metadata is a field that must come before the content that it speaks of.
	Metadata
)

type special struct {
	name string
	kind Kind
}

var specials = []special{
	{"host", Host},
	{"content-length", Length},
	{"transfer-encoding", Coding},
	{"connection", Connection},
	{"upgrade", Upgrade},
	{"expect", Expect},
	{"te", TE},
	{"trailer", Trailer},
	{"keep-alive", Hop},
	{"proxy-connection", Hop},
	{"proxy-authenticate", Hop},
	{"proxy-authorization", Hop},
	{"http2-settings", Hop},
	// CGI makes HTTP_PROXY of it (CVE-2016-5385).
	{"proxy", Hop},
	{"forwarded", Guarded},
	{"x-forwarded-for", Guarded},
	{"x-forwarded-host", Guarded},
	{"x-forwarded-port", Guarded},
	{"x-forwarded-proto", Guarded},
	{"x-forwarded-prefix", Guarded},
	{"x-forwarded-client-cert", Guarded},
	{"x-real-ip", Guarded},
	{"x-request-id", Guarded},
	{"true-client-ip", Guarded},
	{"age", Metadata},
	{"authorization", Metadata},
	{"cache-control", Metadata},
	{"content-encoding", Metadata},
	{"content-range", Metadata},
	{"content-type", Metadata},
	{"cookie", Metadata},
	{"date", Metadata},
	{"expires", Metadata},
	{"location", Metadata},
	{"max-forwards", Metadata},
	{"pragma", Metadata},
	{"range", Metadata},
	{"retry-after", Metadata},
	{"set-cookie", Metadata},
	{"traceparent", Metadata},
	{"tracestate", Metadata},
	{"vary", Metadata},
	{"warning", Metadata},
	{"www-authenticate", Metadata},
	{"if-match", Metadata},
	{"if-none-match", Metadata},
	{"if-modified-since", Metadata},
	{"if-unmodified-since", Metadata},
	{"if-range", Metadata},
}

const longestSpecial = 23

// byLength has what the codec itself acts on by the length of the name, so that
// nearly all other names are told apart by one look.
var byLength = groupByLength()

func groupByLength() (table [longestSpecial + 1][]special) {
	for _, s := range specials {
		if s.kind < Guarded {
			table[len(s.name)] = append(table[len(s.name)], s)
		}
	}
	return table
}

// KindOf returns what a name means to the codec: never Guarded or Metadata.
func KindOf(name string) Kind {
	if len(name) >= len(byLength) {
		return Plain
	}
	for _, s := range byLength[len(name)] {
		if Folds(name, s.name) {
			return s.kind
		}
	}
	return Plain
}

// Lookalike returns what a name with "_" or "." in the place of "-" would mean
// to a backend that takes them for one, as CGI does.
func Lookalike(name string) Kind {
	for _, s := range specials {
		if len(s.name) == len(name) && likens(name, s.name) {
			return s.kind
		}
	}
	return Plain
}

func likens(name, lower string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c == '_' || c == '.' {
			c = '-'
		}
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// NextItem takes the first item off a list of values (RFC 9110, section 5.6.1).
func NextItem(list string) (item, rest string) {
	if comma := strings.IndexByte(list, ','); comma >= 0 {
		return Trim(list[:comma]), list[comma+1:]
	}
	return Trim(list), ""
}

// IsGRPC tells gRPC from its relatives, such as application/grpc-web.
func IsGRPC(contentType string) bool {
	const grpc = "application/grpc"
	if len(contentType) < len(grpc) || !Folds(contentType[:len(grpc)], grpc) {
		return false
	}
	rest := contentType[len(grpc):]
	return rest == "" || rest[0] == '+' || rest[0] == ';' || rest[0] == ' '
}

// ExpectsLength reports whether a request without content says so (RFC 9110,
// section 8.6).
func ExpectsLength(method string) bool {
	return method == "POST" || method == "PUT" || method == "PATCH"
}
