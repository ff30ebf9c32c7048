package envoy

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/ir/editing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/sluice-gateway/sluice/ir"
)

// endpointHeader tells the script of sessions, on the way back, who has answered.
const endpointHeader = ownHeaders + "endpoint"

// keepSession has the way begin with the look for a token, and its way back end
// with making one. Envoy's own sessions have tokens that anybody can read and
// make up, and no time-out of a session.
func (w *walk) keepSession(of ir.EndpointsKey) {
	s := w.entry.Rule.Session
	begin := &corev3.TypedExtensionConfig{Name: "session", TypedConfig: typed(script("session", sessionScript, map[string]*structpb.Value{
		"name":   structpb.NewStringValue(s.Name),
		"header": structpb.NewBoolValue(s.Header),
		"path":   structpb.NewStringValue(cookiePath(s.Path)),
		"age":    structpb.NewStringValue(maxAge(s)),
		"limit":  structpb.NewStringValue(strconv.FormatInt(seconds(s.AbsoluteTimeout), 10)),
		"secure": structpb.NewBoolValue(w.listener.Protocol == ir.HTTPS),
		"tag":    structpb.NewStringValue(sessionTag(of)),
	}))}
	answered := &edits{}
	answered.response = append(answered.response, format(
		endpointHeader, "%RESPONSE_CODE_DETAILS% %UPSTREAM_REMOTE_ADDRESS%", corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD))
	w.chain = append([]*corev3.TypedExtensionConfig{begin}, w.chain...)
	w.append("endpoint", answered.filter())
}

// cookiePath is empty for a path that would be read as another attribute.
func cookiePath(path string) string {
	if !editing.ValidValue(path) || strings.Contains(path, ";") {
		return ""
	}
	return path
}

func maxAge(s *ir.Session) string {
	if !s.Permanent || s.AbsoluteTimeout <= 0 {
		return ""
	}
	return strconv.FormatInt(seconds(s.AbsoluteTimeout), 10)
}

// seconds rounds up.
func seconds(d ir.Duration) int64 {
	return int64((time.Duration(max(0, d)) + time.Second - 1) / time.Second)
}

// sessionTag is what tokens of a backend begin with, so that routes can be chosen
// by it. It tells nothing but that two tokens are of one backend.
func sessionTag(of ir.EndpointsKey) string {
	// No part of a key holds a slash.
	sum := sha256.Sum256([]byte(endpointsName(of)))
	return base64.RawURLEncoding.EncodeToString(sum[:6])
}

// ofSession takes the requests of those whose session is with a backend. One that
// is made up may choose a share thereby, as anybody may by asking often enough,
// and never an endpoint.
func ofSession(m *routev3.RouteMatch, s *ir.Session, of ir.EndpointsKey) {
	tag := prefixed(sessionTag(of))
	if s.Header {
		m.Headers = append(m.Headers, &routev3.HeaderMatcher{
			Name: s.Name, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: tag},
		})
		return
	}
	m.Cookies = append(m.Cookies, &routev3.CookieMatcher{Name: s.Name, StringMatch: tag})
}

func prefixed(prefix string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: prefix}}
}
