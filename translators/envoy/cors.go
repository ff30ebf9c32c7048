package envoy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/ir/editing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/sluice-gateway/sluice/ir"
)

// wildcard allows everything, wherever CORS takes a list.
const wildcard = "*"

// addCORS answers preflight requests and marks answers by a script. Envoy's own
// filter sends preflights of foreign origins to the backend, answers wildcards
// beside credentials, and leaves the backend's marks on answers to foreign
// origins.
func (w *walk) addCORS(spec *ir.CORS) error {
	for _, text := range slices.Concat(spec.AllowMethods, spec.AllowHeaders, spec.ExposeHeaders) {
		if !editing.ValidName(text) {
			return fmt.Errorf("cors: %q is neither a name nor %q", text, wildcard)
		}
	}
	var origins []string
	for _, text := range spec.AllowOrigins {
		if text == wildcard {
			continue
		}
		origin, ok := readOrigin(text)
		if !ok {
			return fmt.Errorf(`cors.allowOrigins: %q is not of the form "https://host" or "https://host:port"`, text)
		}
		origins = append(origins, origin)
	}
	w.then("cors", script("cors", corsScript, map[string]*structpb.Value{
		"any":         structpb.NewBoolValue(slices.Contains(spec.AllowOrigins, wildcard)),
		"origins":     texts(origins),
		"credentials": structpb.NewBoolValue(spec.AllowCredentials),
		"methods":     structpb.NewStringValue(joined(spec.AllowMethods)),
		"headers":     structpb.NewStringValue(joined(spec.AllowHeaders)),
		"exposed":     structpb.NewStringValue(joined(spec.ExposeHeaders)),
		"age":         structpb.NewStringValue(strconv.Itoa(spec.MaxAge)),
	}))
	return nil
}

// joined lists names; one "*" among them makes all others superfluous.
func joined(names []string) string {
	if slices.Contains(names, wildcard) {
		return wildcard
	}
	return strings.Join(names, ", ")
}

// readOrigin writes scheme://host:port, with the scheme's own port filled in.
func readOrigin(text string) (string, bool) {
	scheme, rest, ok := strings.Cut(strings.ToLower(text), "://")
	if !ok || scheme != "http" && scheme != "https" {
		return "", false
	}
	host, port := rest, strconv.Itoa(int(wellKnown(scheme)))
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, ']') {
		host, port = rest[:i], rest[i+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", false
		}
	}
	name := strings.TrimPrefix(host, wildcard)
	return scheme + "://" + host + ":" + port, name == "" && host == wildcard || editing.ValidHost(name)
}
