package envoy

import corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

// trailHeader is made for knowing requests again (RFC 8586) and, unlike Via, keeps
// no backend from compressing.
const trailHeader = "cdn-loop"

// trail is left on every request that goes to a backend.
func (c *Config) trail() []*corev3.HeaderValueOption {
	if c.target.Trail == "" {
		return nil
	}
	return []*corev3.HeaderValueOption{{
		Header:       &corev3.HeaderValue{Key: trailHeader, Value: literal(c.target.Trail)},
		AppendAction: corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD,
	}}
}

// asker leaves the trail on what is asked of an authorization server, so that one
// that leads back to the Gateway is found out. %REQ% is what others have left.
func (w *walk) asker() []*corev3.HeaderValue {
	if w.trail == "" {
		return nil
	}
	return []*corev3.HeaderValue{{Key: trailHeader, Value: "%REQ(" + trailHeader + ")%, " + literal(w.trail)}}
}
