package findings

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Effect is what a fact does to one condition.
type Effect struct {
	Condition string
	Status    metav1.ConditionStatus
	Reason    string
	// Rank says how bad it is: of several facts about one condition, those of
	// the highest rank set it.
	Rank int
}

// Row is one line of the table.
type Row struct {
	Code     Code
	Subjects []SubjectKind
	Effects  []Effect
}

// Table lists every code once, with the conditions it turns.
func Table() []Row { return table }

const (
	yes = metav1.ConditionTrue
	no  = metav1.ConditionFalse
)

// The conditions that start healthy, and those that a fact alone brings up.
const (
	accepted         = "Accepted"
	programmed       = "Programmed"
	resolvedRefs     = "ResolvedRefs"
	conflicted       = "Conflicted"
	partiallyInvalid = "PartiallyInvalid"
	overlappingTLS   = "OverlappingTLSConfig"
	insecureFrontend = "InsecureFrontendValidationMode"
	supportedVersion = "SupportedVersion"
)

// refuse is the effect of what cannot be accepted: nothing of it is programmed.
func refuse(rank int, reason string) []Effect {
	return []Effect{{accepted, no, reason, rank}, {programmed, no, "Invalid", rank}}
}

// refuseAs is refuse where Programmed repeats the reason.
func refuseAs(rank int, reason string) []Effect {
	return []Effect{{accepted, no, reason, rank}, {programmed, no, reason, rank}}
}

func turn(rank int, condition string, status metav1.ConditionStatus, reason string) []Effect {
	return []Effect{{condition, status, reason, rank}}
}

func join(lists ...[]Effect) []Effect {
	var all []Effect
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

var (
	gateways  = []SubjectKind{Gateway}
	listeners = []SubjectKind{Listener, ListenerEntry}
	sets      = []SubjectKind{ListenerSet}
	routes    = []SubjectKind{Route}
	policies  = []SubjectKind{Policy}
)

// conflict is a listener that may not be told from another one.
func conflict(rank int, reason string) []Effect {
	return join(refuseAs(rank, reason), turn(rank, conflicted, yes, reason))
}

// table is in the order of the codes. Ranks are compared within one condition
// of one kind of subject only.
var table = []Row{
	{ParametersInvalid, []SubjectKind{GatewayClass, Gateway}, refuse(60, "InvalidParameters")},
	{UnsupportedVersion, []SubjectKind{GatewayClass}, turn(50, supportedVersion, no, "UnsupportedVersion")},

	{GatewayUnsupportedValue, gateways, refuse(50, "Invalid")},
	{GatewayBroken, gateways, refuse(100, "Invalid")},
	{AddressTypeUnsupported, gateways, refuse(55, "UnsupportedAddress")},
	{AddressNotUsable, gateways, turn(40, programmed, no, "AddressNotUsable")},
	{AddressNotAssigned, gateways, turn(35, programmed, no, "AddressNotAssigned")},
	{NoResources, gateways, turn(30, programmed, no, "NoResources")},
	{GatewayServedWith, gateways, turn(1, programmed, yes, "Programmed")},
	{NoValidListeners, gateways, refuse(45, "ListenersNotValid")},
	{NoLiveListeners, gateways, turn(20, programmed, no, "Invalid")},
	{SomeListenersInvalid, gateways, turn(10, accepted, yes, "ListenersNotValid")},
	{ListenersNotResolved, gateways, turn(10, resolvedRefs, no, "ListenersNotResolved")},
	{ClientCertificateInvalid, gateways, turn(20, resolvedRefs, no, "InvalidClientCertificateRef")},
	{ClientCertificateDenied, gateways, turn(30, resolvedRefs, no, "RefNotPermitted")},
	{InsecureFrontendValidation, gateways, turn(10, insecureFrontend, yes, "ConfigurationChanged")},
	{NotYetProgrammed, []SubjectKind{Gateway, Listener, ListenerEntry, ListenerSet}, turn(5, programmed, no, "Pending")},
	{ProxyRefused, []SubjectKind{Gateway, Listener, ListenerEntry, ListenerSet}, turn(20, programmed, no, "Invalid")},

	{HostnameConflict, listeners, conflict(80, "HostnameConflict")},
	{ProtocolConflict, listeners, conflict(90, "ProtocolConflict")},
	{TLSModeConflict, listeners, conflict(85, "ProtocolConflict")},
	{ProtocolUnsupported, listeners, refuse(70, "UnsupportedProtocol")},
	{PortUnavailable, listeners, refuseAs(65, "PortUnavailable")},
	{ListenerUnsupportedValue, listeners, refuse(60, "UnsupportedValue")},
	{CertificateInvalid, listeners, turn(30, resolvedRefs, no, "InvalidCertificateRef")},
	{CertificateDenied, listeners, turn(40, resolvedRefs, no, "RefNotPermitted")},
	{NoUsableCertificate, listeners, turn(30, programmed, no, "Invalid")},
	{RouteKindsInvalid, listeners, turn(20, resolvedRefs, no, "InvalidRouteKinds")},
	{CARefInvalid, listeners, turn(25, resolvedRefs, no, "InvalidCACertificateRef")},
	{CARefKindInvalid, listeners, turn(26, resolvedRefs, no, "InvalidCACertificateKind")},
	{CARefDenied, listeners, turn(35, resolvedRefs, no, "RefNotPermitted")},
	{NoValidCA, listeners, refuse(50, "NoValidCACertificate")},
	{OverlappingHostnames, listeners, turn(10, overlappingTLS, yes, "OverlappingHostnames")},
	{OverlappingCertificates, listeners, turn(20, overlappingTLS, yes, "OverlappingCertificates")},
	{ListenerReached, listeners, turn(1, programmed, yes, "Programmed")},

	{ListenerSetNotAllowed, sets, refuseAs(90, "NotAllowed")},
	{ParentNotAccepted, sets, join(turn(80, accepted, no, "ParentNotAccepted"), turn(80, programmed, no, "ParentNotProgrammed"))},
	{ListenerSetNoneValid, sets, refuseAs(50, "ListenersNotValid")},
	{ListenerSetSomeInvalid, sets, turn(10, accepted, yes, "ListenersNotValid")},

	{NoMatchingParent, routes, turn(90, accepted, no, "NoMatchingParent")},
	{NotAllowedByListeners, routes, turn(80, accepted, no, "NotAllowedByListeners")},
	{NoMatchingListenerHostname, routes, turn(70, accepted, no, "NoMatchingListenerHostname")},
	{RouteKindUnsupported, routes, turn(95, accepted, no, "UnsupportedValue")},
	{RouteUnsupportedValue, routes, turn(60, accepted, no, "UnsupportedValue")},
	{RouteIncompatibleFilters, routes, turn(65, accepted, no, "IncompatibleFilters")},
	{RouteRuleDropped, routes, turn(10, partiallyInvalid, yes, "UnsupportedValue")},
	{RouteHostnameTaken, routes, turn(50, accepted, no, "HostnameConflict")},
	{RouteHostnamePartlyTaken, routes, turn(6, accepted, yes, "Accepted")},
	{RouteOutranked, routes, turn(5, accepted, yes, "Accepted")},
	{RouteBroken, routes, turn(100, accepted, no, "UnsupportedValue")},
	{BackendRefDenied, routes, turn(40, resolvedRefs, no, "RefNotPermitted")},
	{BackendRefKindInvalid, routes, turn(30, resolvedRefs, no, "InvalidKind")},
	{BackendNotFound, routes, turn(20, resolvedRefs, no, "BackendNotFound")},
	{BackendAddressForbidden, routes, turn(25, resolvedRefs, no, "RefNotPermitted")},
	{BackendProtocolUnsupported, routes, turn(10, resolvedRefs, no, "UnsupportedProtocol")},
	{BackendRefusedByPolicy, routes, turn(9, resolvedRefs, no, "UnsupportedProtocol")},

	{PolicyConflicted, policies, turn(50, accepted, no, "Conflicted")},
	{PolicyInvalid, policies, turn(60, accepted, no, "Invalid")},
	{PolicyTargetNotFound, policies, turn(70, accepted, no, "TargetNotFound")},
	{PolicyCARefInvalid, policies, turn(20, resolvedRefs, no, "InvalidCACertificateRef")},
	{PolicyCAKindInvalid, policies, turn(30, resolvedRefs, no, "InvalidKind")},
	{PolicyNoValidCA, policies, turn(65, accepted, no, "NoValidCACertificate")},
	{PolicyBroken, policies, turn(100, accepted, no, "Invalid")},
}
