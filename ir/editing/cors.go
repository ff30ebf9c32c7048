package editing

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
)

// Wildcard allows everything, wherever CORS takes a list.
const Wildcard = "*"

// CORS is an ir.CORS in normal form (the Fetch standard).
type CORS struct {
	// Any is true where every origin is allowed, Origins are those that are besides.
	Any         bool
	Origins     []Origin
	Credentials bool
	// Methods, Headers and Exposed are ready to be written; "*" stands alone.
	Methods, Headers, Exposed string
	// MaxAge is in seconds.
	MaxAge string
}

// ReadCORS returns an error that begins with the filter and, where it is one, the
// field.
func ReadCORS(spec *ir.CORS) (CORS, error) {
	c := CORS{
		Any: slices.Contains(spec.AllowOrigins, Wildcard), Credentials: spec.AllowCredentials, MaxAge: strconv.Itoa(spec.MaxAge),
		Methods: joined(spec.AllowMethods), Headers: joined(spec.AllowHeaders), Exposed: joined(spec.ExposeHeaders),
	}
	for _, text := range slices.Concat(spec.AllowMethods, spec.AllowHeaders, spec.ExposeHeaders) {
		if !ValidName(text) {
			return c, fmt.Errorf("cors: %q is neither a name nor %q", text, Wildcard)
		}
	}
	for _, text := range spec.AllowOrigins {
		if text == Wildcard {
			continue
		}
		origin, ok := ReadOrigin(text)
		if !ok {
			return c, fmt.Errorf(`cors.allowOrigins: %q is not of the form "https://host" or "https://host:port"`, text)
		}
		c.Origins = append(c.Origins, origin)
	}
	return c, nil
}

// joined lists names; one "*" among them makes all others superfluous.
func joined(names []string) string {
	if slices.Contains(names, Wildcard) {
		return Wildcard
	}
	return strings.Join(names, ", ")
}

// Origin is one, or a pattern of origins whose host begins with "*", which stands for
// at least one character, dots included. All of it is in lower case.
type Origin struct{ Scheme, Host, Port string }

// ReadOrigin reads scheme://host[:port], and fills in the scheme's own port.
func ReadOrigin(text string) (Origin, bool) {
	scheme, rest, ok := strings.Cut(strings.ToLower(text), "://")
	if !ok || scheme != "http" && scheme != "https" {
		return Origin{}, false
	}
	host, port := rest, strconv.Itoa(int(WellKnown(scheme)))
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, ']') {
		host, port = rest[:i], rest[i+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return Origin{}, false
		}
	}
	name := strings.TrimPrefix(host, Wildcard)
	return Origin{Scheme: scheme, Host: host, Port: port}, host == Wildcard || ValidHost(name)
}
