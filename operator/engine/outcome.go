package engine

import (
	"fmt"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/status"
)

// overdue is how long a proxy may take to put a version in force before its
// Gateway is told to be not programmed.
const overdue = 10 * time.Second

// Clock is the time, and what waits for a moment.
type Clock struct {
	Now func() time.Time
	At  func(time.Time) <-chan time.Time
}

// Reports are what the unit's translation found out, with what became of it in
// its proxy. Of a unit that is as it was they are the same pointers.
func (u *Unit) Reports() []*findings.Report {
	if u.reports != nil {
		return u.reports
	}
	return u.merge()
}

func (u *Unit) merge() []*findings.Report {
	if u.Output.Proxy == nil {
		// What refused the Gateway as a whole has said so already.
		return status.Merge(u.Output.Reports, u.lasting())
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
	if u.Outcome != nil && u.Outcome.Reach != nil {
		return u.reached(u.Outcome.Reach)
	}
	switch {
	case u.Failure != "":
		p.Reason, p.Message = "Invalid", u.Failure
	case u.Outcome == nil && u.Overdue:
		p.Message = fmt.Sprintf("The proxy has not answered within %v of being given version %s", overdue, short(u.Version))
	case u.Outcome == nil:
		p.Message = "The proxy has not answered yet"
	case u.Outcome.Down:
		p.Message, p.Problems = "The proxy serves nothing now; the listeners' conditions say why", u.Outcome.Problems
	case u.Outcome.Version == u.Version:
		p.Active, p.Problems = true, u.Outcome.Problems
	case u.Refused:
		p.Reason, p.Message = "Invalid", "The proxy refused this generation and runs the last good one"
		p.Problems = u.Outcome.Problems
	case u.Overdue:
		p.Message = fmt.Sprintf("The proxy does not run version %s, which it was given more than %v ago: it still runs version %s",
			short(u.Version), overdue, short(u.Outcome.Version))
	default:
		// An edit is under way. Whoever waits for Programmed must not see it go and
		// come with each one.
		p.Active, p.Problems = true, u.Outcome.Problems
	}
	return p
}

// reached is the truth about a unit that runs in pods.
func (u *Unit) reached(reach *dataplanes.Reach) status.Programmed {
	p := status.Programmed{Reason: "Pending", Problems: u.Outcome.Problems, Ports: reach.Ports, Remark: reach.Remark}
	p.Addresses = addressesOf(reach)
	switch {
	case reach.Lack != nil:
		p.Reason, p.Message = reach.Lack.Reason, reach.Lack.Message
	case u.Outcome.Version == u.Version:
		p.Active = true
	case u.Refused:
		p.Reason, p.Message = "Invalid", "The proxy refused this generation and runs the last good one"
	case u.Overdue:
		p.Message = fmt.Sprintf("Version %s, which was sent more than %v ago, does not run everywhere: %s", short(u.Version), overdue, reach.Behind)
	case reach.Stuck:
		p.Message = fmt.Sprintf("No version of the last %v runs everywhere: %s", overdue, reach.Behind)
	default:
		p.Active = true
	}
	return p
}

// lasting is what stays true of a unit that is refused as a whole: its pods serve
// on as they did, so DNS must still lead to them. nil is nothing.
func (u *Unit) lasting() *status.Programmed {
	if u.Outcome == nil || u.Outcome.Reach == nil {
		return nil
	}
	return &status.Programmed{Active: true, Addresses: addressesOf(u.Outcome.Reach)}
}

func addressesOf(reach *dataplanes.Reach) []gatewayv1.GatewayStatusAddress {
	var list []gatewayv1.GatewayStatusAddress
	for _, a := range reach.Addresses {
		kind := gatewayv1.IPAddressType
		if a.Hostname {
			kind = gatewayv1.HostnameAddressType
		}
		list = append(list, gatewayv1.GatewayStatusAddress{Type: &kind, Value: a.Value})
	}
	return list
}

// Unknown reports whether nothing is known of the unit's proxy yet, and it is too
// early to say that it does not run: whoever keeps conditions leaves Programmed
// and the addresses as they are. Of one that was refused as a whole when this
// process began, nothing ever is: what ran before runs on.
func (u *Unit) Unknown() bool {
	return u.Outcome == nil && !u.Overdue && u.Failure == ""
}

// short is enough of a version to tell it from others.
func short(version string) string { return version[:min(len(version), 12)] }

// settle notes what became of assignments.
func (e *Engine) settle(outcomes []dataplanes.Outcome) {
	for _, o := range outcomes {
		if u := e.units[o.Owner]; u != nil && u.served != nil {
			u.settle(&o, e.opts.Clock.Now())
		}
	}
	e.publish()
}

// settle takes an outcome. One of another version than was sent last answers an
// assignment before, unless that version was known to run: then the proxy has
// stayed with it, and says why. Pods say so themselves; one that begins to lag
// behind the others, as when its container was started again, has its time to come
// up to them.
func (u *unit) settle(o *dataplanes.Outcome, now time.Time) {
	if o.Reach != nil {
		if u.outcome != nil && u.outcome.Version == u.assigned.Version && o.Version != u.assigned.Version {
			u.due = now.Add(overdue)
		}
		u.outcome, u.refused = o, o.Reach.Refused
		return
	}
	u.refused = o.Version != u.assigned.Version && len(o.Problems) > 0 && u.outcome != nil && u.outcome.Version == o.Version
	u.outcome = o
}

// awaited reports whether the version that was sent is not known to run, though
// the proxy has not refused it.
func (u *unit) awaited() bool {
	return u.served != nil && !u.refused && (u.outcome == nil || u.outcome.Version != u.assigned.Version)
}

// next is when a unit becomes overdue that the last snapshot had not told to be,
// as a channel; nil where there is none.
func (e *Engine) next() <-chan time.Time {
	var first time.Time
	for _, u := range e.units {
		if e.led && u.awaited() && u.due.After(e.told) && (first.IsZero() || u.due.Before(first)) {
			first = u.due
		}
	}
	if first.IsZero() {
		return nil
	}
	return e.opts.Clock.At(first)
}
