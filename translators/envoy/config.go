package envoy

import (
	"net/netip"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// UsualCAs is where most systems keep the certificates that they trust, for what is
// written down and not run.
const UsualCAs = "/etc/ssl/certs/ca-certificates.crt"

// Target is where a unit is going to run.
type Target struct {
	// Address is the local address that every listener binds.
	Address netip.Addr
	// PortOffset is added to every listener's port.
	PortOffset int
	// Zone and Node are where the proxy runs; empty is unknown.
	Zone, Node string
	// SystemCAs is the path of a file with the certificates that are trusted where a
	// backend asks for the system's, as Envoy has none of its own. Empty where there
	// is none: such backends cannot be verified then, and get nothing.
	SystemCAs string
	// Trail is what the unit leaves on the requests that it sends, to know them
	// again where a backend leads back to it: a token that nobody else has. Empty
	// where requests that go round are not told.
	Trail string
}

// Resource is one resource of xDS. It is immutable, and two equal pointers mean
// that nothing has changed.
type Resource struct {
	Name    string
	Message proto.Message
	// Origins are what it was made from, for what Envoy objects to. One that was
	// made from a whole host or listener has that of each rule.
	Origins []ir.Origin
}

// Config is all that Envoy reads for one unit. Each kind is ordered by name and
// has each name once.
type Config struct {
	Listeners []*Resource
	Routes    []*Resource
	Clusters  []*Resource
	Endpoints []*Resource
	Secrets   []*Resource
	// Filters are those of filter chains that come by themselves (TypedExtensionConfig).
	Filters []*Resource
	// Runtimes are layers of the runtime, which the bootstrap names: Bounds alone.
	Runtimes []*Resource
	// Problems are the rules that cannot be said to Envoy, each once, and why. They
	// answer 500.
	Problems []ir.Problem

	// requestDoors are what Names looks in.
	doorsOnce    sync.Once
	requestDoors map[string]requestDoor

	target Target
	unit   *ir.Unit
	// made is kept for the next translation; kept is what the last one made, while
	// this one is made. Changed are the backends that have changed since.
	made, kept parts
	changed    map[ir.BackendKey]bool
	// objections are the problems of each route's rules, by the rule's index; nil
	// for a route without any.
	objections map[*ir.Route][]error
	ports      []*order.Port
	// certified are the certificates that are part of the unit.
	certified map[ir.CertificateKey]bool
	// last is what was there before, while this is being made, and never nil then.
	last *Config

	upstreams map[ir.BackendKey]*upstream
	served    map[ir.EndpointsKey]*served
	// hostsOf are the hostnames of each listener of TLS that connections have come
	// in by.
	hostsOf map[ir.ListenerKey][]string
	// entrances are the filter chains of listeners that are served.
	entrances map[entrance]entered
	// anchorsOf are the trust anchors of what clients are checked with.
	anchorsOf map[string]string
	// stale are names of route configurations that nobody has any more, the oldest
	// first.
	stale []string
}
