package status

import (
	"cmp"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/operator/findings"
	"github.com/sluice-gateway/sluice/operator/resources"
)

// Status is the status of one object; the field of its kind is set.
type Status struct {
	// Generation is the one that the reports read. A status of an older
	// generation than the server's must not be written.
	Generation  int64
	Class       *gatewayv1.GatewayClassStatus
	Gateway     *gatewayv1.GatewayStatus
	ListenerSet *gatewayv1.ListenerSetStatus
	// Route holds our controllers' parents alone, for every kind of route.
	Route *gatewayv1.RouteStatus
	// Policy holds our controllers' ancestors alone.
	Policy *gatewayv1.PolicyStatus
}

// The longest lists that the CRDs take.
const (
	MaxParents   = 32
	MaxAncestors = 16
)

// Build assembles a status for each object that a report is about.
func Build(reports []*findings.Report) map[resources.Key]*Status {
	all := make(map[resources.Key]*Status, len(reports))
	for _, report := range reports {
		s := all[report.Object]
		if s == nil {
			s = &Status{}
			all[report.Object] = s
		}
		s.Generation = max(s.Generation, report.Generation)
		for i := range report.Subjects {
			s.add(report, &report.Subjects[i])
		}
		s.addWhole(report)
	}
	for _, s := range all {
		s.settle()
	}
	return all
}

// addWhole adds what a report says about its object beside conditions.
func (s *Status) addWhole(report *findings.Report) {
	if s.Class != nil {
		s.Class.SupportedFeatures = report.Features
	}
	if s.Gateway != nil {
		s.Gateway.AttachedListenerSets = report.AttachedListenerSets
		s.Gateway.Addresses = report.Addresses
	}
}

func (s *Status) add(report *findings.Report, subject *findings.Subject) {
	conditions := findings.Derive(subject, report.Generation)
	switch subject.Kind {
	case findings.GatewayClass:
		s.Class = &gatewayv1.GatewayClassStatus{Conditions: conditions}
	case findings.Gateway:
		s.Gateway = &gatewayv1.GatewayStatus{Conditions: conditions}
	case findings.Listener:
		s.addListener(subject, conditions)
	case findings.ListenerSet:
		s.ListenerSet = &gatewayv1.ListenerSetStatus{Conditions: conditions}
	case findings.ListenerEntry:
		s.addEntry(subject, conditions)
	case findings.Route:
		s.addParent(report, subject, conditions)
	case findings.Policy:
		s.addAncestor(report, subject, conditions)
	}
}

func (s *Status) addListener(subject *findings.Subject, conditions []metav1.Condition) {
	if s.Gateway == nil {
		s.Gateway = &gatewayv1.GatewayStatus{}
	}
	s.Gateway.Listeners = append(s.Gateway.Listeners, gatewayv1.ListenerStatus{
		Name:           subject.Section,
		SupportedKinds: subject.SupportedKinds,
		AttachedRoutes: subject.AttachedRoutes,
		Conditions:     conditions,
	})
}

func (s *Status) addEntry(subject *findings.Subject, conditions []metav1.Condition) {
	if s.ListenerSet == nil {
		s.ListenerSet = &gatewayv1.ListenerSetStatus{}
	}
	s.ListenerSet.Listeners = append(s.ListenerSet.Listeners, gatewayv1.ListenerEntryStatus{
		Name:           subject.Section,
		SupportedKinds: subject.SupportedKinds,
		AttachedRoutes: subject.AttachedRoutes,
		Conditions:     conditions,
	})
}

func (s *Status) addParent(report *findings.Report, subject *findings.Subject, conditions []metav1.Condition) {
	if s.Route == nil {
		s.Route = &gatewayv1.RouteStatus{}
	}
	s.Route.Parents = append(s.Route.Parents, gatewayv1.RouteParentStatus{
		ParentRef: *subject.Parent, ControllerName: report.Controller, Conditions: conditions,
	})
}

func (s *Status) addAncestor(report *findings.Report, subject *findings.Subject, conditions []metav1.Condition) {
	if s.Policy == nil {
		s.Policy = &gatewayv1.PolicyStatus{}
	}
	s.Policy.Ancestors = append(s.Policy.Ancestors, gatewayv1.PolicyAncestorStatus{
		AncestorRef: *subject.Parent, ControllerName: report.Controller, Conditions: conditions,
	})
}

// settle puts the entries of several units into one order, whichever came
// first, and keeps as many as the CRDs take.
func (s *Status) settle() {
	if s.Route != nil {
		slices.SortStableFunc(s.Route.Parents, func(a, b gatewayv1.RouteParentStatus) int {
			return cmp.Or(cmp.Compare(a.ControllerName, b.ControllerName), compareRefs(&a.ParentRef, &b.ParentRef))
		})
		s.Route.Parents = s.Route.Parents[:min(len(s.Route.Parents), MaxParents)]
	}
	if s.Policy != nil {
		slices.SortStableFunc(s.Policy.Ancestors, func(a, b gatewayv1.PolicyAncestorStatus) int {
			return cmp.Or(cmp.Compare(a.ControllerName, b.ControllerName), compareRefs(&a.AncestorRef, &b.AncestorRef))
		})
		s.Policy.Ancestors = s.Policy.Ancestors[:min(len(s.Policy.Ancestors), MaxAncestors)]
	}
}

func compareRefs(a, b *gatewayv1.ParentReference) int {
	return cmp.Or(
		comparePointers(a.Kind, b.Kind),
		comparePointers(a.Namespace, b.Namespace),
		cmp.Compare(a.Name, b.Name),
		comparePointers(a.SectionName, b.SectionName),
		comparePointers(a.Port, b.Port),
	)
}

func comparePointers[T cmp.Ordered](a, b *T) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return cmp.Compare(*a, *b)
}

// Programmed is what became of a unit in its dataplane.
type Programmed struct {
	// Active is true once the proxy runs the unit as it was translated.
	Active bool
	// Reason, where the unit is not active, is one of the reasons that Gateway API
	// has for Programmed: "Pending" (also where it is empty), "Invalid",
	// "NoResources", "AddressNotAssigned" or "AddressNotUsable".
	Reason string
	// Message says what is being waited for, or what went wrong.
	Message string
	// Problems are what the proxy objects to.
	Problems []ir.Problem
	// Addresses are those that the Gateway has.
	Addresses []gatewayv1.GatewayStatusAddress
	// Ports say where listeners are reached, by port, if that is at another one:
	// "node port 30080".
	Ports map[uint16]string
	// Remark is what there is to add about a Gateway that is served.
	Remark string
}
