package dataplanes

import (
	"context"
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
)

// Dataplane is one kind of proxy.
type Dataplane interface {
	// Name is short and lower case: "go", "haproxy", "envoy".
	Name() string
	// Features are what the proxy can do. A front end refuses, rule by rule,
	// what asks for more, so a unit never holds anything else.
	Features() feature.Set
	// Render returns what the proxy would read for a unit, as values that
	// marshal to YAML, without secrets. It is deterministic.
	Render(unit *ir.Unit) (any, error)
	// Start returns a proxy that runs on this machine and serves units until
	// the context ends; it then drains and closes Outcomes.
	Start(ctx context.Context, opts Options) (Local, error)
}

// Foreseer is a dataplane whose proxy cannot do all of what its features say, and
// that knows what not without running it.
type Foreseer interface {
	// Foresee returns what the proxy would object to in a unit, as its Outcome would.
	// What only the proxy's program can tell is not in it.
	Foresee(unit *ir.Unit) []ir.Problem
}

// Local is a proxy that runs on this machine.
//
// Apply and Remove do not wait for the proxy: they take note and return, and
// where several come before the proxy is done, the last one of an owner counts.
// A unit that is applied replaces its owner's last one as a whole, without
// losing a request. Every unit applied leads to an Outcome, unless a later one
// overtook it.
type Local interface {
	Apply(Assignment)
	Remove(owner ir.Object)
	Outcomes() <-chan Outcome
}

// Options say how a local proxy runs.
type Options struct {
	// Admin is the address of /metrics, /healthz and /readyz; without a port it
	// is off.
	Admin netip.AddrPort
	// AccessLog receives the access log, one JSON object a line; nil is none.
	AccessLog interface{ Write([]byte) (int, error) }
	// Zone and Node are where the proxy runs, as hints of endpoints name it
	// (topology.kubernetes.io/zone, kubernetes.io/hostname). Empty is unknown.
	Zone, Node string
	// Dir is where a proxy that is a program of its own has its sockets and files,
	// each process in a folder that nobody else can enter; empty is the system's
	// folder for temporary files.
	Dir string
	// Leaving is closed some time before the context of a proxy ends: it serves on,
	// new connections too, and asks clients with each answer to make another one for
	// their next request, which leads elsewhere. nil is never.
	Leaving <-chan struct{}
	// Metrics receives the proxy's metrics; nil is a registry of its own, which
	// Admin serves.
	Metrics *prometheus.Registry
}

// Assignment is a unit and where its listeners are to listen.
type Assignment struct {
	Unit *ir.Unit
	// Version identifies the unit's content; the Outcome names it.
	Version string
	// Address is the local address that every listener of the unit binds.
	Address netip.Addr
	// PortOffset is added to every listener's port.
	PortOffset int
	// SessionKey makes the tokens of session persistence; proxies of one unit that
	// share it honour each other's. Empty is a random one, which ends with the
	// process. Tokens of another key are no longer valid.
	SessionKey ir.Secret
}

// AdminPort is where a proxy that runs in a pod has /metrics, /healthz and /readyz.
// No listener can have it.
const AdminPort = 19001

// Outcome is what became of an assignment.
type Outcome struct {
	Owner ir.Object
	// Version is the one that is active now: the one that was assigned, or the
	// last good one where it could not be put in force.
	Version string
	// Problems are what the proxy objects to. What they do not name is in force.
	Problems []ir.Problem
	// Down is true while nothing of the unit is served, whichever version was: the
	// proxy's program has ended and is started again, or does not start. Problems say
	// why.
	Down bool
	// Reach is set for a unit that runs in pods; nil for one of this machine.
	Reach *Reach
}

// Reach is how clients come to a unit that runs in pods.
type Reach struct {
	// Addresses are those that the unit has.
	Addresses []Address
	// Lack is what keeps clients from being served, whichever version runs; nil
	// where nothing does.
	Lack *Lack
	// Remark is what is not as it should be though clients are served, for people: a
	// pod that does not come up beside those that serve. Empty where nothing is.
	Remark string
	// Behind names the pods that are ready and do not run the version that was
	// asked for, for people; empty where there are none.
	Behind string
	// Stuck is true where one of those has run the same for so long that no edit
	// excuses it, however lately the version was asked for.
	Stuck bool
	// Refused is true where a pod objects to the version that was asked for, and
	// stays with the one before.
	Refused bool
	// Ports are what there is to say of a listener's port, such as the port of
	// the nodes that leads to it.
	Ports map[uint16]string
}

// Address is where clients reach a unit.
type Address struct {
	// Value is an IP address, or a DNS name where Hostname is true.
	Value    string
	Hostname bool
}

// Lack is something that a unit needs and does not have.
type Lack struct {
	// Reason is one of Gateway API's for Programmed: "Pending", "Invalid",
	// "NoResources", "AddressNotAssigned" or "AddressNotUsable".
	Reason string
	// Message says what is missing, and what would be right.
	Message string
}
