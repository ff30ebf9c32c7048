package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/delivery/server"
	"github.com/sluice-gateway/sluice/dataplanes/provision"
	"github.com/sluice-gateway/sluice/ir"
)

// judge says what became of a unit: what Kubernetes says of its pods, together
// with what they say of themselves. It is not known while pods that are ready
// have not been heard, and still may be: a new leader must not take silence for
// failure.
func (c *crew) judge(state provision.State, now time.Time) (o dataplanes.Outcome, known bool) {
	c.forget(state.Ready)
	if c.unheard(state.Ready) && now.Before(c.since.Add(patience)) {
		return o, false
	}
	o = dataplanes.Outcome{
		Owner: c.order.Unit.Proxy.Owner, Version: c.order.Version,
		Reach: &dataplanes.Reach{Addresses: state.Addresses, Lack: state.Lack, Remark: state.Remark, Ports: state.Ports},
	}
	var behind []string
	said := map[ir.Problem]bool{}
	for _, pod := range state.Ready {
		r, heard := c.reports[string(pod.UID)]
		o.Problems = addProblems(o.Problems, r.Problems, said)
		o.Reach.Refused = o.Reach.Refused || r.Refused
		if why := c.lags(&r, heard); why != "" {
			behind = append(behind, fmt.Sprintf("pod %s/%s %s", pod.Namespace, pod.Name, why))
			o.Version = r.Version
			o.Reach.Stuck = o.Reach.Stuck || c.stays(string(pod.UID), now)
		}
	}
	o.Reach.Behind = strings.Join(behind, "; ")
	switch {
	case o.Reach.Lack == nil:
		o.Reach.Lack = c.unable(state.Ready)
	case len(state.Ready) == 0:
		o.Reach.Lack = c.explained(*o.Reach.Lack)
	}
	return o, true
}

// forget drops the reports of pods that neither serve nor speak.
func (c *crew) forget(ready []provision.Pod) {
	for uid, r := range c.reports {
		serves := slices.ContainsFunc(ready, func(p provision.Pod) bool { return string(p.UID) == uid })
		if !serves && !r.Connected {
			delete(c.reports, uid)
		}
	}
	maps.DeleteFunc(c.moved, func(uid string, _ time.Time) bool {
		_, heard := c.reports[uid]
		return !heard && !slices.ContainsFunc(ready, func(p provision.Pod) bool { return string(p.UID) == uid })
	})
}

// stays reports whether a pod has run the same for too long, or has not been heard
// for as long.
func (c *crew) stays(uid string, now time.Time) bool {
	since, seen := c.moved[uid]
	if !seen {
		since, c.moved[uid] = now, now
	}
	return !now.Before(since.Add(patience))
}

func (c *crew) unheard(ready []provision.Pod) bool {
	return slices.ContainsFunc(ready, func(p provision.Pod) bool { _, heard := c.reports[string(p.UID)]; return !heard })
}

// lags says why a pod does not run what was ordered; empty where it does.
func (c *crew) lags(r *server.Report, heard bool) string {
	switch {
	case !heard:
		return "has not connected to the operator"
	case r.Version == c.order.Version:
		return ""
	case !r.Connected:
		return "is not connected to the operator and ran version " + short(r.Version) + " when it was heard last"
	case r.Version == "":
		return "runs nothing yet"
	default:
		return "runs version " + short(r.Version)
	}
}

// unable is what keeps pods from running the unit at all.
func (c *crew) unable(ready []provision.Pod) *dataplanes.Lack {
	for _, pod := range ready {
		if r := c.reports[string(pod.UID)]; r.Unable != "" {
			return &dataplanes.Lack{Reason: "Invalid", Message: fmt.Sprintf("pod %s/%s cannot run this generation: %s", pod.Namespace, pod.Name, r.Unable)}
		}
	}
	return nil
}

// explained adds to why no pod is ready what those say that are not.
func (c *crew) explained(lack dataplanes.Lack) *dataplanes.Lack {
	var said []string
	for _, r := range c.reports {
		why := r.Unable
		if why == "" && len(r.Problems) > 0 {
			why = r.Problems[len(r.Problems)-1].Message
		}
		if why != "" {
			said = append(said, fmt.Sprintf("pod %s/%s cannot run this generation: %s", r.Pod.Namespace, r.Pod.Name, why))
		}
	}
	// One speaks for all: those of one Deployment say the same.
	if len(said) > 0 {
		lack.Message += "; " + slices.Min(said)
	}
	return &lack
}

// addProblems adds what another pod has said already but once.
func addProblems(all, more []ir.Problem, said map[ir.Problem]bool) []ir.Problem {
	for _, p := range more {
		if !said[p] {
			said[p] = true
			all = append(all, p)
		}
	}
	return all
}

// short is enough of a version to tell it from others.
func short(version string) string { return version[:min(len(version), 12)] }
