package gatewayapi

import (
	"time"

	"github.com/sluice-gateway/sluice/api/v1alpha1"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
	"github.com/sluice-gateway/sluice/operator/findings"
)

// defaultAltSvcMaxAge is as api/v1alpha1 documents it.
const defaultAltSvcMaxAge = 24 * time.Hour

func (e *effective) layHTTP3(p *v1alpha1.HTTP3Parameters) {
	if p == nil {
		return
	}
	over(&e.settings.HTTP3.Enabled, p.Enabled)
	overDuration(&e.settings.HTTP3.AltSvcMaxAge, p.AltSvcMaxAge)
}

// http3 refuses an age that Alt-Svc cannot say: it counts whole seconds, and 0
// would have clients forget at once what they are told.
func (c parametersCheck) http3(p *v1alpha1.ProxyParameters) {
	if p.HTTP3 == nil || p.HTTP3.AltSvcMaxAge == nil {
		return
	}
	const most = 365 * 24 * time.Hour
	if age := p.HTTP3.AltSvcMaxAge.Duration; age < time.Second || age > most {
		c.refuse("http3.altSvcMaxAge", "%v is out of range; it is 1s to %v", age, most)
	}
}

// http3 is what comes of the settings. A Gateway is refused whose dataplane would
// leave out what it is asked for.
func (b *frameBuilder) http3() ir.HTTP3 {
	asked := b.settings.HTTP3
	switch {
	case !asked.Enabled:
		return ir.HTTP3{}
	case !b.class.features.Has(feature.HTTP3):
		b.found.add(findings.ParametersInvalid, "spec.gatewayClassName",
			"http3.enabled of its GatewayParameters is not supported by the dataplane of %s; turn it off", b.class.controller)
		return ir.HTTP3{}
	case asked.AltSvcMaxAge == 0:
		asked.AltSvcMaxAge = ir.Duration(defaultAltSvcMaxAge)
	}
	return asked
}
