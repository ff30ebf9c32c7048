package kube

import (
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/status"
)

// said is what one unit has said.
type said struct {
	reports []*findings.Report
	// unknown is engine.Unit's Unknown.
	unknown bool
}

// state is what is known of writing one object's status.
type state struct {
	// want is nil where nothing is to be said of the object.
	want *status.Status
	// hold is true while its unit's proxies are not known.
	hold bool
	pace pace
	// overlay is the object as the last write left it, until the cluster's own
	// view has come as far.
	overlay client.Object
	// wrote is what was last written or refused, and version the resourceVersion
	// at which it left the object: the same is not written over it again, whatever
	// the API server made of it.
	wrote   wanted
	version string
	// told is what the log has been told about the object.
	told string
}

// wanted is what is to be written, and what it depends on beside.
type wanted struct {
	status *status.Status
	// hold is true while the unit's proxies are not known, and whole where the
	// status is all that there is to say.
	hold, whole bool
}

func (w wanted) equal(other wanted) bool {
	return w.hold == other.hold && w.whole == other.whole && equal(w.status, other.status)
}

// plan finds out what the last snapshot changes, and queues it. What did not
// change costs a comparison of pointers.
func (s *Sink) plan() {
	s.mu.Lock()
	snapshot := s.latest
	s.mu.Unlock()
	dirty := map[resources.Key]bool{}
	seen := map[ir.Object]bool{{}: true}
	s.take(ir.Object{}, said{reports: snapshot.Classes}, dirty)
	for i := range snapshot.Units {
		u := &snapshot.Units[i]
		seen[u.Owner] = true
		s.take(u.Owner, said{u.Reports(), u.Unknown()}, dirty)
	}
	for owner := range s.reports {
		if !seen[owner] {
			s.take(owner, said{}, dirty)
			delete(s.reports, owner)
		}
	}
	s.want(dirty, snapshot.Complete)
}

// take notes what a unit says, and which objects it says something else about.
func (s *Sink) take(owner ir.Object, now said, dirty map[resources.Key]bool) {
	last := s.reports[owner]
	s.reports[owner] = now
	before, after := last.reports, now.reports
	if last.unknown == now.unknown {
		for len(before) > 0 && len(after) > 0 && before[0] == after[0] {
			before, after = before[1:], after[1:]
		}
		for len(before) > 0 && len(after) > 0 && before[len(before)-1] == after[len(after)-1] {
			before, after = before[:len(before)-1], after[:len(after)-1]
		}
	}
	stays := make(map[*findings.Report]bool, len(after))
	for _, r := range after {
		stays[r] = true
	}
	for _, r := range before {
		if !stays[r] && s.by[r.Object][owner] == r {
			delete(s.by[r.Object], owner)
			dirty[r.Object] = true
		}
	}
	for _, r := range after {
		if s.by[r.Object] == nil {
			s.by[r.Object] = map[ir.Object]*findings.Report{}
		}
		if s.by[r.Object][owner] != r || last.unknown != now.unknown && listens(r.Object.Kind) {
			s.by[r.Object][owner] = r
			dirty[r.Object] = true
		}
	}
}

// want notes what is to be written of the objects that something else is said
// of.
func (s *Sink) want(dirty map[resources.Key]bool, complete bool) {
	made := make(map[resources.Key]*state, len(dirty))
	for key := range dirty {
		made[key] = s.made(key)
	}
	now := s.opts.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, next := range made {
		st := s.states[key]
		if st == nil {
			st = &state{}
			s.states[key] = st
		}
		if st.want == nil || next.want == nil || st.hold != next.hold || !equal(st.want, next.want) {
			st.want, st.hold = next.want, next.hold
			st.pace.changed(now)
			s.queue(key.Kind).Add(key)
		}
	}
	if complete && !s.complete {
		// From now on, what bears something of ours that nobody says goes.
		for key := range s.bearing {
			s.queue(key.Kind).Add(key)
		}
	}
	s.complete = complete
}

// made is what all units together say of an object.
func (s *Sink) made(key resources.Key) *state {
	said := s.by[key]
	if len(said) == 0 {
		delete(s.by, key)
		return &state{}
	}
	reports := make([]*findings.Report, 0, len(said))
	hold := false
	for owner, r := range said {
		reports = append(reports, r)
		hold = hold || s.reports[owner].unknown && listens(key.Kind)
	}
	// Several units have an order of their own, so that the result has one.
	slices.SortFunc(reports, func(a, b *findings.Report) int { return strings.Compare(parentOf(a), parentOf(b)) })
	return &state{want: status.Build(reports)[key], hold: hold}
}

// listens reports whether a kind has a condition that proxies decide.
func listens(kind resources.Kind) bool {
	return kind == resources.Gateway || kind == resources.ListenerSet
}

func parentOf(r *findings.Report) string {
	var b strings.Builder
	b.WriteString(string(r.Controller))
	for i := range r.Subjects {
		if p := r.Subjects[i].Parent; p != nil {
			b.WriteString("\x00" + string(orDefault(p.Namespace, "")) + "\x00" + string(p.Name))
		}
	}
	return b.String()
}

// bears reports whether the status of an object holds something of ours.
func (s *Sink) bears(obj client.Object) bool {
	if f, entries := entriesOf(obj); f != nil {
		return slices.ContainsFunc(entries, func(e entry) bool { return s.opts.Ours(e.controller) })
	}
	for _, m := range obj.GetManagedFields() {
		if m.Manager == Manager {
			return true
		}
	}
	return false
}

// entriesOf returns the entries of a route's or a policy's status; nil for other
// kinds.
func entriesOf(obj client.Object) (*field, []entry) {
	switch o := obj.(type) {
	case *gatewayv1.HTTPRoute:
		return &parents, parentsOf(&o.Status.RouteStatus)
	case *gatewayv1.GRPCRoute:
		return &parents, parentsOf(&o.Status.RouteStatus)
	case *gatewayv1.TLSRoute:
		return &parents, parentsOf(&o.Status.RouteStatus)
	case *gatewayv1.TCPRoute:
		return &parents, parentsOf(&o.Status.RouteStatus)
	case *gatewayv1.UDPRoute:
		return &parents, parentsOf(&o.Status.RouteStatus)
	case *gatewayv1.BackendTLSPolicy:
		return &ancestors, ancestorsOf(&o.Status)
	}
	return nil, nil
}
