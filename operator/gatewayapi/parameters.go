package gatewayapi

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/findings"
)

// maxTimeout bounds every time-out: what is longer is a typing error, and some
// proxies count in 32 bits of milliseconds.
const maxTimeout = 24 * 24 * time.Hour

// checkParameters states what is wrong with parameters, wherever they came from.
func checkParameters(spec *v1alpha1.GatewayParametersSpec, ref string, found *notes) {
	if spec == nil {
		return
	}
	checkService(spec.Service, parametersCheck{ref, "service", found})
	checkPods(spec.Pods, parametersCheck{ref, "pods", found})
	checkGateways(spec.Gateways, parametersCheck{ref, "gateways", found})
	if spec.Proxy != nil {
		checkProxy(spec.Proxy, parametersCheck{ref, "proxy", found})
	}
}

func checkProxy(p *v1alpha1.ProxyParameters, c parametersCheck) {
	for _, check := range []func(*v1alpha1.ProxyParameters){
		c.clientIP, c.timeouts, c.limits, c.tls, c.proxyProtocol, c.endpoints, c.path,
		c.balancing, c.ejection, c.http3,
	} {
		check(p)
	}
}

// parametersCheck states what is wrong with one part of a spec.
type parametersCheck struct {
	ref, part string
	found     *notes
}

func (c parametersCheck) refuse(path, format string, args ...any) {
	c.found.add(findings.ParametersInvalid, fieldOf(c.ref, c.part+"."+path), format, args...)
}

func (c parametersCheck) clientIP(p *v1alpha1.ProxyParameters) {
	if p.ClientIP != nil {
		inRange(c, "clientIP.trustedHops", p.ClientIP.TrustedHops, 0, 32)
	}
}

func (c parametersCheck) endpoints(p *v1alpha1.ProxyParameters) {
	if m := p.Endpoints; m != nil && *m != v1alpha1.EndpointsPods && *m != v1alpha1.EndpointsClusterIP {
		c.refuse("endpoints", "%q is unknown; it is Pods or ClusterIP", *m)
	}
}

func (c parametersCheck) path(p *v1alpha1.ProxyParameters) {
	if p.Path == nil || p.Path.EncodedSlashes == nil {
		return
	}
	if m := *p.Path.EncodedSlashes; m != v1alpha1.EncodedSlashesReject && m != v1alpha1.EncodedSlashesKeep {
		c.refuse("path.encodedSlashes", "%q is unknown; it is Reject or Keep", m)
	}
}

func (c parametersCheck) timeouts(p *v1alpha1.ProxyParameters) {
	if p.Timeouts == nil {
		return
	}
	t := p.Timeouts
	for _, f := range []struct {
		name  string
		value *metav1.Duration
	}{
		{"requestHeader", t.RequestHeader}, {"idle", t.Idle}, {"request", t.Request}, {"stall", t.Stall},
		{"connect", t.Connect}, {"drain", t.Drain}, {"tcpIdle", t.TCPIdle}, {"udpIdle", t.UDPIdle},
	} {
		if f.value != nil && (f.value.Duration < 0 || f.value.Duration > maxTimeout) {
			c.refuse("timeouts."+f.name, "%v is out of range; it is 0s (no bound) to %v", f.value.Duration, maxTimeout)
		}
	}
	if t.UDPIdle != nil && t.UDPIdle.Duration == 0 {
		c.refuse("timeouts.udpIdle", "0s would keep every session for ever, as nothing else ends one; give a time")
	}
}

func (c parametersCheck) limits(p *v1alpha1.ProxyParameters) {
	if p.Limits == nil {
		return
	}
	inRange(c, "limits.requestHeaderBytes", p.Limits.RequestHeaderBytes, 1024, 1<<20)
	inRange(c, "limits.requestBodyBytes", p.Limits.RequestBodyBytes, 0, 1<<62)
	inRange(c, "limits.requestHeaderCount", p.Limits.RequestHeaderCount, 10, 1000)
	inRange(c, "limits.minBodyBytesPerSecond", p.Limits.MinBodyBytesPerSecond, 0, 1<<20)
	inRange(c, "limits.retryBufferBytes", p.Limits.RetryBufferBytes, 0, 1<<62)
	inRange(c, "limits.requests", p.Limits.Requests, 0, 1<<31-1)
	inRange(c, "limits.connections", p.Limits.Connections, 0, 1<<31-1)
	inRange(c, "limits.concurrentStreams", p.Limits.ConcurrentStreams, 1, 65535)
	inRange(c, "limits.udpSessions", p.Limits.UDPSessions, 0, 1<<31-1)
}

func inRange[T int32 | int64](c parametersCheck, path string, value *T, least, most T) {
	if value != nil && (*value < least || *value > most) {
		c.refuse(path, "%d is out of range; it is %d to %d", *value, least, most)
	}
}

func (c parametersCheck) tls(p *v1alpha1.ProxyParameters) {
	if p.TLS == nil {
		return
	}
	if v := p.TLS.MinVersion; v != nil && *v != string(ir.TLS12) && *v != string(ir.TLS13) {
		c.refuse("tls.minVersion", "%q is not offered; it is 1.2 or 1.3", *v)
	}
	for i, name := range p.TLS.Ciphers {
		if !offered(name) {
			c.refuse(item("tls.ciphers", i), "%q is not offered; %s", name, insteadOf(name))
		}
	}
	for i, name := range p.TLS.ALPN {
		if name != "h2" && name != "http/1.1" || slices.Contains(p.TLS.ALPN[:i], name) {
			c.refuse(item("tls.alpn", i), "%q is unknown or repeated; list h2 and http/1.1, each once", name)
		}
	}
}

// classAlone is what there is to say of a field that no class can leave to its
// Gateways.
const classAlone = "only the GatewayClass's parameters may set this; remove it here, or ask the platform team"

// refuseClassOnly states which fields a Gateway's parameters may not have: those
// that would let an application team decide what only the platform may.
func refuseClassOnly(spec *v1alpha1.GatewayParametersSpec, ref string, found *notes) {
	if spec == nil || spec.Proxy == nil {
		return
	}
	p, c := spec.Proxy, parametersCheck{ref, "proxy", found}
	if p.ClientIP != nil {
		c.refuse("clientIP", classAlone)
	}
	if p.ProxyProtocol != nil {
		c.refuse("proxyProtocol", classAlone)
	}
	if p.Path != nil {
		c.refuse("path", classAlone)
	}
	if p.AllowExternalName != nil {
		c.refuse("allowExternalName", classAlone)
	}
}
