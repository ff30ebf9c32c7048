package gatewayapi

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
	"github.com/sluice-gateway/sluice/ir"
)

// defaultEjection is as api/v1alpha1 documents it.
var defaultEjection = ir.Ejection{
	Failures: 3, BaseTime: ir.Duration(10 * time.Second), MaxTime: ir.Duration(5 * time.Minute), MaxPercent: 50,
}

// layBalancing takes balancing as a whole: the hash of a class has no meaning for
// the type of a Gateway.
func (e *effective) layBalancing(p *v1alpha1.BalancingParameters) {
	if p == nil {
		return
	}
	switch orDefault(p.Type, v1alpha1.BalancingRoundRobin) {
	case v1alpha1.BalancingLeastRequest:
		e.balancing = ir.Balancing{Algorithm: ir.LeastRequest}
	case v1alpha1.BalancingConsistentHash:
		e.balancing = ir.Balancing{Algorithm: ir.ConsistentHash, Hash: hashKey(p.Hash)}
	default:
		e.balancing = ir.Balancing{}
	}
}

func hashKey(p *v1alpha1.HashParameters) ir.HashKey {
	switch {
	case p != nil && p.Type == v1alpha1.HashHeader:
		return ir.HashKey{Kind: ir.HashHeader, Name: strings.ToLower(orDefault(p.Name, ""))}
	case p != nil && p.Type == v1alpha1.HashCookie:
		return ir.HashKey{Kind: ir.HashCookie, Name: orDefault(p.Name, "")}
	}
	return ir.HashKey{Kind: ir.HashClientIP}
}

func (e *effective) layEjection(p *v1alpha1.EjectionParameters) {
	if p == nil {
		return
	}
	set(&e.ejection.Failures, p.ConsecutiveFailures)
	overDuration(&e.ejection.BaseTime, p.BaseTime)
	overDuration(&e.ejection.MaxTime, p.MaxTime)
	set(&e.ejection.MaxPercent, p.MaxPercent)
}

// ejects is the ejection of backends; nil where it is off.
func (e *effective) ejects() *ir.Ejection {
	if e.ejection.Failures <= 0 {
		return nil
	}
	made := e.ejection
	// The two may come from different objects.
	made.MaxTime = max(made.MaxTime, made.BaseTime)
	return &made
}

// balance gives a backend what its unit says of all, as far as its protocol can
// have it.
func (r *routing) balance(b *ir.Backend) {
	b.Balancing, b.Ejection = r.balancing, r.ejection
	switch b.Key.Protocol {
	case ir.BackendHTTP1, ir.BackendH2, ir.BackendH2C:
		return
	case ir.BackendUDP:
		b.Ejection = nil
	}
	if b.Balancing.Algorithm == ir.ConsistentHash {
		b.Balancing.Hash = ir.HashKey{Kind: ir.HashClientIP}
	}
}

func (c parametersCheck) balancing(p *v1alpha1.ProxyParameters) {
	if p.Balancing == nil {
		return
	}
	kind := orDefault(p.Balancing.Type, v1alpha1.BalancingRoundRobin)
	switch kind {
	case v1alpha1.BalancingRoundRobin, v1alpha1.BalancingLeastRequest, v1alpha1.BalancingConsistentHash:
	default:
		c.refuse("balancing.type", "%q is unknown; it is RoundRobin, LeastRequest or ConsistentHash", kind)
	}
	hash := p.Balancing.Hash
	if hash == nil {
		return
	}
	if kind != v1alpha1.BalancingConsistentHash {
		c.refuse("balancing.hash", "it is for type ConsistentHash alone; remove it, or set balancing.type")
	}
	c.hash(hash)
}

func (c parametersCheck) hash(p *v1alpha1.HashParameters) {
	const field = "balancing.hash."
	name := orDefault(p.Name, "")
	switch p.Type {
	case v1alpha1.HashClientIP:
		if p.Name != nil {
			c.refuse(field+"name", "type ClientIP has no name; remove it, or use type Header or Cookie")
		}
	case v1alpha1.HashHeader, v1alpha1.HashCookie:
		switch {
		case !token.MatchString(name):
			c.refuse(field+"name", "%q is no name of a %s; give one", name, strings.ToLower(string(p.Type)))
		case p.Type == v1alpha1.HashHeader && slices.Contains(framing, strings.ToLower(name)):
			c.refuse(field+"name", "%s belongs to the connection, and no backend gets it; use another header", name)
		}
	default:
		c.refuse(field+"type", "%q is unknown; it is ClientIP, Header or Cookie", p.Type)
	}
}

func (c parametersCheck) ejection(p *v1alpha1.ProxyParameters) {
	if p.Ejection == nil {
		return
	}
	e := p.Ejection
	inRange(c, "ejection.consecutiveFailures", e.ConsecutiveFailures, 0, 1000)
	inRange(c, "ejection.maxPercent", e.MaxPercent, 1, 100)
	for _, f := range []struct {
		name  string
		value *metav1.Duration
	}{{"baseTime", e.BaseTime}, {"maxTime", e.MaxTime}} {
		if f.value != nil && (f.value.Duration < time.Millisecond || f.value.Duration > maxTimeout) {
			c.refuse("ejection."+f.name, "%v is out of range; it is 1ms to %v", f.value.Duration, maxTimeout)
		}
	}
	if e.BaseTime != nil && e.MaxTime != nil && e.MaxTime.Duration < e.BaseTime.Duration {
		c.refuse("ejection.maxTime", "%v is less than baseTime, %v; give as much or more", e.MaxTime.Duration, e.BaseTime.Duration)
	}
}
