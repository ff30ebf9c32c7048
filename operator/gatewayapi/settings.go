package gatewayapi

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
	"github.com/sluice-gateway/sluice/ir"
)

// effective is what parameters come to: what a proxy reads, and what this
// package does.
type effective struct {
	settings          ir.Settings
	endpoints         v1alpha1.EndpointsMode
	allowExternalName bool
	// sendProxy says which listeners send PROXY headers on.
	sendProxy []v1alpha1.SendProxyProtocol
	balancing ir.Balancing
	// ejection has no failures where it is off.
	ejection ir.Ejection
	service  v1alpha1.ServiceParameters
	pods     v1alpha1.PodParameters
}

// defaults are as api/v1alpha1 documents them.
func defaults() effective {
	return effective{
		settings: ir.Settings{
			Timeouts: ir.ServerTimeouts{
				RequestHeader: ir.Duration(10 * time.Second),
				Idle:          ir.Duration(2 * time.Minute),
				Stall:         ir.Duration(time.Minute),
				Connect:       ir.Duration(5 * time.Second),
				Drain:         ir.Duration(30 * time.Second),
				StreamIdle:    ir.Duration(time.Hour),
				DatagramIdle:  ir.Duration(time.Minute),
			},
			Limits: ir.Limits{
				RequestHeaderBytes: 64 << 10, RequestHeaderCount: 100, MinBodyBytesPerSecond: 240, RetryBufferBytes: 64 << 20,
				ConcurrentStreams: 100, DatagramSessions: 10000,
			},
			TLS:       ir.TLSSettings{MinVersion: ir.TLS12, ALPN: []string{"h2", "http/1.1"}},
			AccessLog: ir.AccessLog{Enabled: true},
		},
		endpoints: v1alpha1.EndpointsPods,
		ejection:  defaultEjection,
	}
}

// lay puts parameters over what is there, field by field.
func (e *effective) lay(spec *v1alpha1.GatewayParametersSpec) {
	if spec == nil {
		return
	}
	e.layService(spec.Service)
	e.layPods(spec.Pods)
	e.layProxy(spec.Proxy)
}

func (e *effective) layProxy(p *v1alpha1.ProxyParameters) {
	if p == nil {
		return
	}
	if p.ClientIP != nil {
		set(&e.settings.ClientIP.TrustedHops, p.ClientIP.TrustedHops)
	}
	if p.AccessLog != nil {
		over(&e.settings.AccessLog.Enabled, p.AccessLog.Enabled)
	}
	if p.Path != nil && p.Path.EncodedSlashes != nil {
		e.settings.Path.KeepEncodedSlashes = *p.Path.EncodedSlashes == v1alpha1.EncodedSlashesKeep
	}
	e.layTimeouts(p.Timeouts)
	e.layLimits(p.Limits)
	e.layTLS(p.TLS)
	e.layProxyProtocol(p.ProxyProtocol)
	e.layHTTP3(p.HTTP3)
	e.layBalancing(p.Balancing)
	e.layEjection(p.Ejection)
	over(&e.endpoints, p.Endpoints)
	over(&e.allowExternalName, p.AllowExternalName)
}

func (e *effective) layTimeouts(p *v1alpha1.TimeoutParameters) {
	if p == nil {
		return
	}
	t := &e.settings.Timeouts
	overDuration(&t.RequestHeader, p.RequestHeader)
	overDuration(&t.Idle, p.Idle)
	overDuration(&t.Request, p.Request)
	overDuration(&t.Stall, p.Stall)
	overDuration(&t.Connect, p.Connect)
	overDuration(&t.Drain, p.Drain)
	overDuration(&t.StreamIdle, p.TCPIdle)
	overDuration(&t.DatagramIdle, p.UDPIdle)
}

func (e *effective) layLimits(p *v1alpha1.LimitParameters) {
	if p == nil {
		return
	}
	l := &e.settings.Limits
	set(&l.RequestHeaderBytes, p.RequestHeaderBytes)
	over(&l.RequestBodyBytes, p.RequestBodyBytes)
	set(&l.RequestHeaderCount, p.RequestHeaderCount)
	set(&l.MinBodyBytesPerSecond, p.MinBodyBytesPerSecond)
	over(&l.RetryBufferBytes, p.RetryBufferBytes)
	set(&l.Requests, p.Requests)
	set(&l.Connections, p.Connections)
	set(&l.ConcurrentStreams, p.ConcurrentStreams)
	set(&l.DatagramSessions, p.UDPSessions)
}

func (e *effective) layTLS(p *v1alpha1.TLSParameters) {
	if p == nil {
		return
	}
	t := &e.settings.TLS
	if p.MinVersion != nil {
		t.MinVersion = ir.TLSVersion(*p.MinVersion)
	}
	if len(p.Ciphers) > 0 {
		t.Ciphers = p.Ciphers
	}
	if len(p.ALPN) > 0 {
		t.ALPN = p.ALPN
	}
}

func over[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

func set(field *int, value *int32) {
	if value != nil {
		*field = int(*value)
	}
}

func overDuration(field *ir.Duration, value *metav1.Duration) {
	if value != nil {
		*field = ir.Duration(value.Duration)
	}
}
