package gatewayapi

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
)

// durationText is GEP-2257's pattern.
var durationText = regexp.MustCompile(`^([0-9]{1,5}(h|m|s|ms)){1,4}$`)

// duration reads a GEP-2257 duration; it is false where a refusal was taken
// down.
func (b *ruleBuilder) duration(d gatewayv1.Duration, field string) (ir.Duration, bool) {
	parsed, err := time.ParseDuration(string(d))
	if err != nil || !durationText.MatchString(string(d)) || parsed > maxTimeout {
		b.refuse(field, "%s is no duration up to %v; write it as 500ms, 10s or 1h30m", quote(string(d)), maxTimeout)
		return 0, false
	}
	return ir.Duration(parsed), true
}

// timeouts writes the rule's time-outs; "0s" turns a bound off.
func (b *ruleBuilder) timeouts() {
	t := b.source.timeouts
	if t == nil {
		return
	}
	field := b.field + ".timeouts"
	b.rule.Timeouts.Request = b.timeout(t.Request, field+".request")
	b.rule.Timeouts.BackendRequest = b.timeout(t.BackendRequest, field+".backendRequest")
	made := b.rule.Timeouts
	if made.Request > 0 && made.BackendRequest > made.Request {
		b.refuse(field+".backendRequest", "a try may not take longer than the request, which has %v; shorten it",
			time.Duration(made.Request))
	}
}

func (b *ruleBuilder) timeout(d *gatewayv1.Duration, field string) ir.Duration {
	if d == nil {
		return 0
	}
	parsed, ok := b.duration(*d, field)
	if ok && parsed == 0 {
		return ir.NoTimeout
	}
	return parsed
}

// What a retry has where its author says nothing.
const (
	defaultAttempts = 1
	defaultBackoff  = 25 * time.Millisecond
	// maxAttempts is where retries become an attack on one's own backend.
	maxAttempts = 100
)

// retry writes when a try is made again (GEP-1731).
func (b *ruleBuilder) retry() {
	r := b.source.retry
	if r == nil {
		return
	}
	field := b.field + ".retry"
	made := &ir.Retry{Attempts: orDefault(r.Attempts, defaultAttempts), Backoff: ir.Duration(defaultBackoff)}
	if made.Attempts < 1 || made.Attempts > maxAttempts {
		b.refuse(field+".attempts", "%d is out of range; use 1 to %d", made.Attempts, maxAttempts)
	}
	for i, code := range r.Codes {
		if code < 400 || code > 599 {
			b.refuse(item(field+".codes", i), "%d is no failure; use codes from 400 to 599", code)
		}
		made.Codes = append(made.Codes, int(code))
	}
	slices.Sort(made.Codes)
	made.Codes = slices.Compact(made.Codes)
	if r.Backoff != nil {
		if d, ok := b.duration(*r.Backoff, field+".backoff"); ok {
			made.Backoff = d
		}
	}
	b.rule.Retry = made
}

// session writes how a client keeps its endpoint (GEP-1619).
func (b *ruleBuilder) session() {
	s := b.source.session
	if s == nil {
		return
	}
	field := b.field + ".sessionPersistence"
	made := &ir.Session{Name: orDefault(s.SessionName, ""), Path: b.cookiePath()}
	if made.Name == "" {
		made.Name = b.sessionName()
	}
	if !token.MatchString(made.Name) || len(made.Name) > 128 {
		b.refuse(field+".sessionName", "%s is no name of a cookie or a header; use letters, digits and -", quote(made.Name))
	}
	b.sessionType(s, made, field)
	if made.Header && slices.Contains(framing, strings.ToLower(made.Name)) {
		b.refuse(field+".sessionName", "%s belongs to the connection, and only the proxy may change it; use another header", made.Name)
	}
	if s.AbsoluteTimeout != nil {
		made.AbsoluteTimeout, _ = b.duration(*s.AbsoluteTimeout, field+".absoluteTimeout")
	}
	if made.Permanent && made.AbsoluteTimeout == 0 {
		b.refuse(field+".absoluteTimeout", "a Permanent cookie needs one above 0s; give it")
	}
	b.rule.Session = made
}

func (b *ruleBuilder) sessionType(s *gatewayv1.SessionPersistence, made *ir.Session, field string) {
	switch t := orDefault(s.Type, gatewayv1.CookieBasedSessionPersistence); t {
	case gatewayv1.CookieBasedSessionPersistence:
	case gatewayv1.HeaderBasedSessionPersistence:
		made.Header, made.Path = true, ""
	default:
		b.refuse(field+".type", "%q is unknown; use Cookie or Header", t)
	}
	if s.CookieConfig == nil {
		return
	}
	if made.Header {
		b.refuse(field+".cookieConfig", "it does not go with type Header; remove it")
	}
	switch t := orDefault(s.CookieConfig.LifetimeType, gatewayv1.SessionCookieLifetimeType); t {
	case gatewayv1.SessionCookieLifetimeType:
	case gatewayv1.PermanentCookieLifetimeType:
		made.Permanent = true
	default:
		b.refuse(field+".cookieConfig.lifetimeType", "%q is unknown; use Session or Permanent", t)
	}
}

// cookiePath keeps a cookie to the rule's path where it has one.
func (b *ruleBuilder) cookiePath() string {
	if len(b.rule.Matches) == 1 && b.rule.Matches[0].Path.Kind != ir.Regex {
		return b.rule.Matches[0].Path.Value
	}
	return "/"
}

// sessionName makes a name that stays while the rule stays where it is, and
// that tells nothing of the route.
func (b *ruleBuilder) sessionName() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%v/%d", b.routeBuilder.source.key, b.index))
	return "sluice-" + hex.EncodeToString(sum[:4])
}
