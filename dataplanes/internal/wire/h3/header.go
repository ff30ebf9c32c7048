package h3

import (
	"net/http"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/field"
)

// endToEnd returns the fields that may pass. It is not sound where a name would
// frame or route the message for a backend that takes "_" and "." for "-".
//
// What Connection names is not among the fields that end here: messages with
// such a field are malformed (RFC 9114, section 4.2).
func endToEnd(h http.Header) (fields exchange.Header, sound bool) {
	fields, sound = make(exchange.Header, 0, len(h)+8), true
	for name, values := range h {
		if field.KindOf(name) != field.Plain {
			continue
		}
		drop, broken := disguised(name)
		sound = sound && !broken
		if drop {
			continue
		}
		for _, v := range values {
			fields = append(fields, exchange.Field{Name: name, Value: v})
		}
	}
	return fields, sound
}

// disguised says whether a name is another spelling of one that does not pass,
// and whether of one that frames or routes.
func disguised(name string) (drop, broken bool) {
	if !strings.ContainsAny(name, "_.") {
		return false, false
	}
	switch field.Lookalike(name) {
	case field.Plain, field.Metadata:
		return false, false
	case field.Host, field.Length, field.Coding, field.Connection:
		return true, true
	default:
		return true, false
	}
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

// mayTrail leaves out what would change what a request means, who sent it, or
// how it is framed: a backend that merges trailers into the header would believe
// it (RFC 9110, section 6.5.1).
func mayTrail(name string) bool { return field.IsToken(name) && field.Lookalike(name) == field.Plain }
