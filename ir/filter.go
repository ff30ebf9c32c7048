package ir

// Filter is one step of a rule or of a rule's use of a backend. Exactly one
// field is set.
type Filter struct {
	RequestHeaders  *HeaderEdit   `json:"requestHeaders,omitempty"`
	ResponseHeaders *HeaderEdit   `json:"responseHeaders,omitempty"`
	Redirect        *Redirect     `json:"redirect,omitempty"`
	Rewrite         *Rewrite      `json:"rewrite,omitempty"`
	Mirror          *Mirror       `json:"mirror,omitempty"`
	CORS            *CORS         `json:"cors,omitempty"`
	ExternalAuth    *ExternalAuth `json:"externalAuth,omitempty"`
}

// HeaderEdit changes fields of a header: Remove first, then Set, then Add.
// Names keep the case that their author gave them.
type HeaderEdit struct {
	Set    []Header `json:"set,omitempty"`
	Add    []Header `json:"add,omitempty"`
	Remove []string `json:"remove,omitempty"`
}

// Header is one field.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Redirect answers at once with a Location.
type Redirect struct {
	// Scheme is "http" or "https"; empty keeps the request's.
	Scheme string `json:"scheme,omitempty"`
	// Hostname is empty to keep the request's.
	Hostname string    `json:"hostname,omitempty"`
	Path     *PathEdit `json:"path,omitempty"`
	// Port is the one that the Location shows. 0 stands for the well-known port
	// of Scheme or, without a Scheme, for the port that the listener is reached
	// at. A port that is well-known for the scheme is never shown.
	Port   uint16 `json:"port,omitempty"`
	Status int    `json:"status"`
}

// Rewrite changes what the backend is asked for.
type Rewrite struct {
	Hostname string    `json:"hostname,omitempty"`
	Path     *PathEdit `json:"path,omitempty"`
}

// PathEdit replaces a path. Exactly one of Full and Prefix is set.
type PathEdit struct {
	// Full replaces the whole path.
	Full *string `json:"full,omitempty"`
	// Prefix replaces the segments that the rule's prefix match matched;
	// an empty string takes them away.
	Prefix *string `json:"prefix,omitempty"`
}

// Mirror sends a copy of the request to a backend and ignores the answer.
type Mirror struct {
	Backend BackendKey `json:"backend"`
	// Numerator of Denominator requests are mirrored; 1 of 1 means all.
	Numerator   int `json:"numerator"`
	Denominator int `json:"denominator"`
}

// CORS answers preflight requests and marks responses (the Fetch standard).
type CORS struct {
	// AllowOrigins are "*", an origin ("https://a.example"), or an origin with a
	// wildcard host ("https://*.example").
	AllowOrigins     []string `json:"allowOrigins,omitempty"`
	AllowCredentials bool     `json:"allowCredentials,omitempty"`
	AllowMethods     []string `json:"allowMethods,omitempty"`
	AllowHeaders     []string `json:"allowHeaders,omitempty"`
	ExposeHeaders    []string `json:"exposeHeaders,omitempty"`
	// MaxAge is in seconds.
	MaxAge int `json:"maxAge"`
}

// ExternalAuth asks a backend whether a request may pass. Anything but a clear
// yes, a failure to ask included, refuses the request (GEP-1494).
type ExternalAuth struct {
	Backend BackendKey `json:"backend"`
	// GRPC is Envoy's ext_authz protocol; otherwise a plain HTTP request, where
	// 200 lets the request pass.
	GRPC bool `json:"grpc,omitempty"`
	// PathPrefix is put before the request's path (HTTP only).
	PathPrefix string `json:"pathPrefix,omitempty"`
	// RequestHeaders are lower case names. With GRPC, empty sends all; with
	// HTTP, they are sent beside those that are always sent.
	RequestHeaders []string `json:"requestHeaders,omitempty"`
	// ResponseHeaders are lower case names copied from the answer into the
	// request (HTTP only); empty copies all but Host.
	ResponseHeaders []string `json:"responseHeaders,omitempty"`
	// MaxBodyBytes of the request's body are sent along; a longer body is
	// refused with 413. 0 sends none.
	MaxBodyBytes int `json:"maxBodyBytes,omitempty"`
}
