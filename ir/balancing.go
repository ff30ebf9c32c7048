package ir

// Balancing says which endpoint of a backend serves a request. Its zero value is
// RoundRobin.
type Balancing struct {
	// Algorithm is RoundRobin where it is empty.
	Algorithm BalancingAlgorithm `json:"algorithm,omitempty"`
	// Hash is what ConsistentHash goes by, and set with it alone.
	Hash HashKey `json:"hash,omitzero"`
}

// BalancingAlgorithm is a way to choose among endpoints.
type BalancingAlgorithm string

// The algorithms. Each chooses among the endpoints that are in use: neither
// ejected nor draining, unless there are no others.
const (
	// RoundRobin takes endpoints in turn.
	RoundRobin BalancingAlgorithm = "RoundRobin"
	// LeastRequest takes, of two endpoints chosen at random, the one with fewer
	// exchanges under way.
	LeastRequest BalancingAlgorithm = "LeastRequest"
	// ConsistentHash leads equal keys to one endpoint. An endpoint that comes or
	// goes moves about its share of the keys and no others. What has no key goes
	// by RoundRobin.
	ConsistentHash BalancingAlgorithm = "ConsistentHash"
)

// HashKey is the part of a request that is hashed.
type HashKey struct {
	Kind HashKind `json:"kind"`
	// Name is that of the header, lower case, or of the cookie, as it is written;
	// empty for HashClientIP.
	Name string `json:"name,omitempty"`
}

// HashKind says what a key is taken from.
type HashKind string

// The kinds of keys. Backends of TCP, TLS and UDP have HashClientIP alone.
const (
	// HashClientIP is the client's address, as far as trusted proxies tell it.
	HashClientIP HashKind = "ClientIP"
	// HashHeader is a header's value as the backend would get it, several joined
	// by ", ". "host" is the authority.
	HashHeader HashKind = "Header"
	// HashCookie is the value of the first cookie of the name.
	HashCookie HashKind = "Cookie"
)

// Ejection leaves endpoints out that cannot be connected to: passive health
// checking. Only opening a connection counts, its TLS handshake included, and
// never an answer. Where all endpoints of a backend are ejected, all are used.
type Ejection struct {
	// Failures is how many connections in a row must fail; at least 1.
	Failures int `json:"failures"`
	// BaseTime is how long an endpoint is left out. One request tries it then: if
	// that fails too, the time doubles, up to MaxTime, which is no less.
	BaseTime Duration `json:"baseTime"`
	MaxTime  Duration `json:"maxTime"`
	// MaxPercent bounds the share of a backend's endpoints that are left out at
	// once, 1 to 100, rounded down to whole endpoints.
	MaxPercent int `json:"maxPercent"`
}
