package findings

// Code names a fact. The table says what it means for a condition.
type Code string

// Facts about a GatewayClass, or about the parameters of a class or a Gateway.
const (
	ParametersInvalid  Code = "ParametersInvalid"
	UnsupportedVersion Code = "UnsupportedVersion"
)

// Facts about a Gateway.
const (
	GatewayUnsupportedValue    Code = "GatewayUnsupportedValue"
	GatewayBroken              Code = "GatewayBroken"
	AddressTypeUnsupported     Code = "AddressTypeUnsupported"
	AddressNotUsable           Code = "AddressNotUsable"
	AddressNotAssigned         Code = "AddressNotAssigned"
	NoResources                Code = "NoResources"
	GatewayServedWith          Code = "GatewayServedWith"
	NoValidListeners           Code = "NoValidListeners"
	NoLiveListeners            Code = "NoLiveListeners"
	SomeListenersInvalid       Code = "SomeListenersInvalid"
	ListenersNotResolved       Code = "ListenersNotResolved"
	ClientCertificateInvalid   Code = "ClientCertificateInvalid"
	ClientCertificateDenied    Code = "ClientCertificateDenied"
	InsecureFrontendValidation Code = "InsecureFrontendValidation"
	NotYetProgrammed           Code = "NotYetProgrammed"
	ProxyRefused               Code = "ProxyRefused"
)

// Facts about a listener of a Gateway or of a ListenerSet.
const (
	HostnameConflict         Code = "HostnameConflict"
	ProtocolConflict         Code = "ProtocolConflict"
	TLSModeConflict          Code = "TLSModeConflict"
	ProtocolUnsupported      Code = "ProtocolUnsupported"
	PortUnavailable          Code = "PortUnavailable"
	ListenerUnsupportedValue Code = "ListenerUnsupportedValue"
	CertificateInvalid       Code = "CertificateInvalid"
	CertificateDenied        Code = "CertificateDenied"
	NoUsableCertificate      Code = "NoUsableCertificate"
	RouteKindsInvalid        Code = "RouteKindsInvalid"
	CARefInvalid             Code = "CARefInvalid"
	CARefKindInvalid         Code = "CARefKindInvalid"
	CARefDenied              Code = "CARefDenied"
	NoValidCA                Code = "NoValidCA"
	OverlappingHostnames     Code = "OverlappingHostnames"
	OverlappingCertificates  Code = "OverlappingCertificates"
	ListenerReached          Code = "ListenerReached"
)

// Facts about a ListenerSet as a whole.
const (
	ListenerSetNotAllowed  Code = "ListenerSetNotAllowed"
	ParentNotAccepted      Code = "ParentNotAccepted"
	ListenerSetNoneValid   Code = "ListenerSetNoneValid"
	ListenerSetSomeInvalid Code = "ListenerSetSomeInvalid"
)

// Facts about a route as one of its parents sees it.
const (
	NoMatchingParent           Code = "NoMatchingParent"
	NotAllowedByListeners      Code = "NotAllowedByListeners"
	NoMatchingListenerHostname Code = "NoMatchingListenerHostname"
	RouteKindUnsupported       Code = "RouteKindUnsupported"
	RouteUnsupportedValue      Code = "RouteUnsupportedValue"
	RouteIncompatibleFilters   Code = "RouteIncompatibleFilters"
	RouteRuleDropped           Code = "RouteRuleDropped"
	RouteHostnameTaken         Code = "RouteHostnameTaken"
	RouteHostnamePartlyTaken   Code = "RouteHostnamePartlyTaken"
	RouteOutranked             Code = "RouteOutranked"
	RouteBroken                Code = "RouteBroken"
	BackendRefDenied           Code = "BackendRefDenied"
	BackendRefKindInvalid      Code = "BackendRefKindInvalid"
	BackendNotFound            Code = "BackendNotFound"
	BackendAddressForbidden    Code = "BackendAddressForbidden"
	BackendProtocolUnsupported Code = "BackendProtocolUnsupported"
	BackendRefusedByPolicy     Code = "BackendRefusedByPolicy"
)

// Facts about a policy as one of its ancestors sees it.
const (
	PolicyConflicted     Code = "PolicyConflicted"
	PolicyInvalid        Code = "PolicyInvalid"
	PolicyTargetNotFound Code = "PolicyTargetNotFound"
	PolicyCARefInvalid   Code = "PolicyCARefInvalid"
	PolicyCAKindInvalid  Code = "PolicyCAKindInvalid"
	PolicyNoValidCA      Code = "PolicyNoValidCA"
	PolicyBroken         Code = "PolicyBroken"
)
