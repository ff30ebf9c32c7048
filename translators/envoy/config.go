package envoy

import (
	"net/netip"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// Target is where a unit is going to run.
type Target struct {
	// Address is the local address that every listener binds.
	Address netip.Addr
	// PortOffset is added to every listener's port.
	PortOffset int
	// Zone and Node are where the proxy runs; empty is unknown.
	Zone, Node string
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
	// Problems are the rules that cannot be said to Envoy, each once, and why. They
	// answer 500.
	Problems []ir.Problem

	target Target
	unit   *ir.Unit
	// objections are the problems of each route's rules, by the rule's index; nil
	// for a route without any.
	objections map[*ir.Route][]error
	ports      []*order.Port
	// certified are the certificates that are part of the unit.
	certified map[ir.CertificateKey]bool
	// stale are names of route configurations that nobody has any more, the oldest
	// first.
	stale []string
}
