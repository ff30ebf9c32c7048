package engine

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/status"
)

// Reports are what the unit's translation found out, with what became of it in
// its proxy.
func (u *Unit) Reports() []*findings.Report {
	if u.Output.Proxy == nil {
		// What refused the Gateway as a whole has said so already.
		return u.Output.Reports
	}
	p := u.programmed()
	return status.Merge(u.Output.Reports, &p)
}

// programmed is the truth about the unit: the version that its proxy runs.
func (u *Unit) programmed() status.Programmed {
	p := status.Programmed{Reason: "Pending"}
	if u.Address.IsValid() {
		kind := gatewayv1.IPAddressType
		p.Addresses = []gatewayv1.GatewayStatusAddress{{Type: &kind, Value: u.Address.String()}}
	}
	switch {
	case u.Failure != "":
		p.Reason, p.Message = "Invalid", u.Failure
	case u.Outcome == nil:
		p.Message = "The proxy has not answered yet"
	case u.Outcome.Version == u.Version:
		p.Active, p.Problems = true, u.Outcome.Problems
	case len(u.Outcome.Problems) > 0:
		p.Reason, p.Message = "Invalid", "The proxy refused this generation and runs the last good one"
		p.Problems = u.Outcome.Problems
	default:
		p.Message = "The proxy still runs the generation before this one"
	}
	return p
}
