package h1

import "strings"

// kind is what a field's name means to the codec.
type kind uint8

const (
	plain kind = iota
	// hop is a field that ends at the next hop, or that a proxy takes for itself.
	hop
	kindHost
	kindLength
	kindCoding
	kindConnection
	kindUpgrade
	kindExpect
	kindTrailer
	kindTE
	// guarded is a field that proxies write and backends believe.
	guarded
	// metadata is a field that must come before the content that it speaks of.
	metadata
)

type special struct {
	name string
	kind kind
}

var specials = []special{
	{"host", kindHost},
	{"content-length", kindLength},
	{"transfer-encoding", kindCoding},
	{"connection", kindConnection},
	{"upgrade", kindUpgrade},
	{"expect", kindExpect},
	{"te", kindTE},
	{"trailer", kindTrailer},
	{"keep-alive", hop},
	{"proxy-connection", hop},
	{"proxy-authenticate", hop},
	{"proxy-authorization", hop},
	{"http2-settings", hop},
	// CGI makes HTTP_PROXY of it (CVE-2016-5385).
	{"proxy", hop},
	{"forwarded", guarded},
	{"x-forwarded-for", guarded},
	{"x-forwarded-host", guarded},
	{"x-forwarded-port", guarded},
	{"x-forwarded-proto", guarded},
	{"x-forwarded-prefix", guarded},
	{"x-forwarded-client-cert", guarded},
	{"x-real-ip", guarded},
	{"x-request-id", guarded},
	{"true-client-ip", guarded},
	{"age", metadata},
	{"authorization", metadata},
	{"cache-control", metadata},
	{"content-encoding", metadata},
	{"content-range", metadata},
	{"content-type", metadata},
	{"cookie", metadata},
	{"date", metadata},
	{"expires", metadata},
	{"location", metadata},
	{"max-forwards", metadata},
	{"pragma", metadata},
	{"range", metadata},
	{"retry-after", metadata},
	{"set-cookie", metadata},
	{"traceparent", metadata},
	{"tracestate", metadata},
	{"vary", metadata},
	{"warning", metadata},
	{"www-authenticate", metadata},
	{"if-match", metadata},
	{"if-none-match", metadata},
	{"if-modified-since", metadata},
	{"if-unmodified-since", metadata},
	{"if-range", metadata},
}

const longestSpecial = 23

// byLength has what the codec itself acts on by the length of the name, so that
// nearly all other names are told apart by one look.
var byLength = groupByLength()

func groupByLength() (table [longestSpecial + 1][]special) {
	for _, s := range specials {
		if s.kind < guarded {
			table[len(s.name)] = append(table[len(s.name)], s)
		}
	}
	return table
}

// kindOf returns what a name means to the codec: never guarded or metadata.
func kindOf(name string) kind {
	if len(name) >= len(byLength) {
		return plain
	}
	for _, s := range byLength[len(name)] {
		if folds(name, s.name) {
			return s.kind
		}
	}
	return plain
}

// lookalike returns what a name with "_" or "." in the place of "-" would mean
// to a backend that takes them for one, as CGI does.
func lookalike(name string) kind {
	for _, s := range specials {
		if len(s.name) == len(name) && likens(name, s.name) {
			return s.kind
		}
	}
	return plain
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

// field is a line as a field. odd says that its name has "_" or "." in it.
type field struct {
	name, value string
	odd         bool
}

// cutField splits a line into a field, without its CRLF.
func cutField(line string) (field, error) {
	n, class := 0, uint8(0)
	for n < len(line) && octets[line[n]]&inToken != 0 {
		class |= octets[line[n]]
		n++
	}
	if n == 0 || n == len(line) || line[n] != ':' {
		return field{}, notField(line)
	}
	value := trim(line[n+1:])
	if !validValue(value) {
		return field{}, errValue
	}
	return field{name: line[:n], value: value, odd: class&isOdd != 0}, nil
}

func notField(line string) error {
	if line != "" && (line[0] == ' ' || line[0] == '\t') {
		return errFold
	}
	return errName
}

// nextItem takes the first item off a list of values (RFC 9110, section 5.6.1).
func nextItem(list string) (item, rest string) {
	if comma := strings.IndexByte(list, ','); comma >= 0 {
		return trim(list[:comma]), list[comma+1:]
	}
	return trim(list), ""
}
