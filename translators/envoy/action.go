package envoy

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	previousv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	prioritiesv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/priority/previous_priorities/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-gateway/sluice/ir"
)

// action sends requests to a backend.
func (w *walk) action(key ir.BackendKey) *routev3.RouteAction {
	rule := w.entry.Rule
	a := &routev3.RouteAction{
		ClusterNotFoundResponseCode: routev3.RouteAction_INTERNAL_SERVER_ERROR,
		// The time of a request begins with its header, and holds for its answer,
		// for streams and for upgraded connections too, which is what Envoy calls a
		// stream's duration; its time-out begins with the request's end.
		Timeout:               durationpb.New(0),
		MaxStreamDuration:     w.duration(),
		RetryPolicy:           retryPolicy(rule),
		RequestMirrorPolicies: w.mirrorPolicies(),
	}
	if w.host != "" {
		a.HostRewriteSpecifier = &routev3.RouteAction_HostRewriteLiteral{HostRewriteLiteral: w.host}
	}
	w.rewritePath(a)
	w.leadTo(a, key)
	return a
}

func (w *walk) duration() *routev3.RouteAction_MaxStreamDuration {
	bound := w.entry.Rule.Timeouts.Request
	if bound == 0 {
		bound = w.fallback
	}
	return &routev3.RouteAction_MaxStreamDuration{MaxStreamDuration: durationpb.New(time.Duration(max(0, bound)))}
}

// rewritePath replaces whole segments, as the table of
// HTTPPathModifier.replacePrefixMatch has it. Where the match was no prefix
// match, there is nothing to replace.
func (w *walk) rewritePath(a *routev3.RouteAction) {
	prefix := w.prefix()
	switch {
	case w.path == nil, !w.path.Full && prefix == "", !w.path.Full && prefix == "/" && w.path.Value == "":
	case w.path.Full:
		a.RegexRewrite = replacement("^.*$", w.path.Value)
	case prefix == "/":
		a.RegexRewrite = replacement("^/", w.path.Value+"/")
	case w.path.Value == "":
		a.RegexRewrite = replacement("^"+itself(prefix)+"/?", "/")
	default:
		a.PrefixRewrite = w.path.Value
	}
}

func replacement(pattern, by string) *matcherv3.RegexMatchAndSubstitute {
	return &matcherv3.RegexMatchAndSubstitute{Pattern: &matcherv3.RegexMatcher{Regex: pattern}, Substitution: substitution(by)}
}

// mostConnects bounds how many more endpoints a request looks for a connection
// at, where its rule says nothing of retries.
const mostConnects = 3

// mostLooks bounds how often a balancer is asked for an endpoint that was not
// tried yet.
const mostLooks = 10

// triesPerTier is how many endpoints of a tier are tried until those of a later one
// are: they are better than none.
const triesPerTier = 2

// retryPolicy has a request go to another endpoint where no connection could be
// made, whatever its method, so that an endpoint that goes away costs none. All
// else is tried again as the rule says.
func retryPolicy(rule *ir.Rule) *routev3.RetryPolicy {
	p := &routev3.RetryPolicy{
		RetryOn:    "connect-failure,refused-stream",
		NumRetries: wrapperspb.UInt32(mostConnects),
		RetryHostPredicate: []*routev3.RetryPolicy_RetryHostPredicate{{
			Name:       "envoy.retry_host_predicates.previous_hosts",
			ConfigType: &routev3.RetryPolicy_RetryHostPredicate_TypedConfig{TypedConfig: typed(&previousv3.PreviousHostsPredicate{})},
		}},
		RetryPriority: &routev3.RetryPolicy_RetryPriority{
			Name:       "envoy.retry_priorities.previous_priorities",
			ConfigType: &routev3.RetryPolicy_RetryPriority_TypedConfig{TypedConfig: typed(&prioritiesv3.PreviousPrioritiesConfig{UpdateFrequency: triesPerTier})},
		},
		HostSelectionRetryMaxAttempts: mostLooks,
		RetryBackOff:                  backOff(time.Millisecond),
	}
	if perTry := time.Duration(rule.Timeouts.BackendRequest); perTry > 0 {
		p.PerTryTimeout = durationpb.New(perTry)
	}
	if r := rule.Retry; r != nil {
		p.RetryOn = "connect-failure,refused-stream,reset,retriable-status-codes"
		p.NumRetries = wrapperspb.UInt32(uint32(r.Attempts)) //nolint:gosec // It is small and not negative.
		p.RetryBackOff = backOff(time.Duration(r.Backoff))
		for _, code := range r.Codes {
			p.RetriableStatusCodes = append(p.RetriableStatusCodes, uint32(code)) //nolint:gosec // It is a status.
		}
	}
	return p
}

// onceMore has requests that may be made twice, and have no content, made again
// over another connection where the first one ends without an answer: a backend
// may have closed it for its idleness while the request was on its way. It stands
// once for all routes of a port: Envoy takes as long to read one such expression
// as the rest of two routes.
func onceMore() []*corev3.HeaderValueOption {
	const repeatable = "%CEL(request.method == 'GET' || request.method == 'HEAD' || request.method == 'OPTIONS' ? 'reset' : 'never')%"
	return retryOn(repeatable)
}

// notOnceMore takes a rule out of that which says itself what is retried, or one
// whose tries have a bound: Envoy does not tell a connection that has ended from a
// try that ran out of its time.
func notOnceMore(rule *ir.Rule) []*corev3.HeaderValueOption {
	if rule.Retry == nil && rule.Timeouts.BackendRequest <= 0 {
		return nil
	}
	return retryOn("never")
}

// retryOn sets what is retried beside what the route says. Envoy knows no "never".
func retryOn(value string) []*corev3.HeaderValueOption {
	return []*corev3.HeaderValueOption{{
		Header:       &corev3.HeaderValue{Key: "x-envoy-retry-on", Value: value},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}}
}

// backOff waits as long as was asked for, on the average: Envoy's waits are
// random, and none is nothing.
func backOff(wait time.Duration) *routev3.RetryPolicy_RetryBackOff {
	twice := durationpb.New(2 * max(wait, time.Millisecond))
	return &routev3.RetryPolicy_RetryBackOff{BaseInterval: twice, MaxInterval: twice}
}

const (
	// maxReplay bounds what is kept of a body for another try, and maxMirrored what
	// is kept of one for copies; in bytes.
	maxReplay   = 64 << 10
	maxMirrored = 1 << 20
)

func (w *walk) bodyLimit() *wrapperspb.UInt64Value {
	if len(w.mirrors) > 0 {
		return wrapperspb.UInt64(maxMirrored)
	}
	return wrapperspb.UInt64(maxReplay)
}
