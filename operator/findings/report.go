package findings

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/operator/resources"
)

// Finding is one fact about one part of an object.
type Finding struct {
	Code Code
	// Field is the path of the field that is to blame ("spec.rules[0].filters[1]"),
	// so that a terminal can name the line; empty where no one field is.
	Field string
	// Message names the object and the field, says what is wrong and what would
	// be right. It is what the object's author reads.
	Message string
}

// SubjectKind is what carries a list of conditions.
type SubjectKind string

// The carriers of conditions.
const (
	GatewayClass  SubjectKind = "GatewayClass"
	Gateway       SubjectKind = "Gateway"
	Listener      SubjectKind = "Listener"
	ListenerSet   SubjectKind = "ListenerSet"
	ListenerEntry SubjectKind = "ListenerEntry"
	// Route is a route as one of its parents sees it.
	Route SubjectKind = "Route"
	// Policy is a policy as one of its ancestors sees it.
	Policy SubjectKind = "Policy"
)

// Subject is one carrier of conditions, and all that was found out about it.
type Subject struct {
	Kind SubjectKind
	// Section is the listener's name, for Listener and ListenerEntry.
	Section gatewayv1.SectionName
	// Parent is the parentRef as its author wrote it, for Route, or the
	// ancestor, for Policy.
	Parent *gatewayv1.ParentReference
	// Findings are in the order in which they were found. None is the healthy
	// form.
	Findings []Finding
	// Port, SupportedKinds and AttachedRoutes are for Listener and ListenerEntry.
	Port           gatewayv1.PortNumber
	SupportedKinds []gatewayv1.RouteGroupKind
	AttachedRoutes int32
	// Rules is how many rules the object has, for Route: what a proxy objects
	// to in all of them refuses the route.
	Rules int
}

// Report is what one unit has to say about one object. The reports of several
// units about one object together make its status.
type Report struct {
	Object resources.Key
	// Generation is the one that was read: every condition's observedGeneration.
	Generation int64
	// Controller is the controllerName that speaks.
	Controller gatewayv1.GatewayController
	Subjects   []Subject
	// Features are for a GatewayClass, sorted.
	Features []gatewayv1.SupportedFeature
	// AttachedListenerSets is for a Gateway.
	AttachedListenerSets *int32
	// Addresses are for a Gateway.
	Addresses []gatewayv1.GatewayStatusAddress
}
