package haproxy

import (
	"net/netip"

	"github.com/haproxytech/client-native/v5/models"

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
	// Trail is what the unit leaves on the requests that it sends, to know them
	// again where a backend leads back to it: a token that nobody else has. Empty
	// where requests that go round are not told.
	Trail string
	// Threads is how many HAProxy runs on; 0 leaves it to HAProxy.
	Threads int
}

// Config is all that HAProxy reads for one unit. Paths in it are relative to the
// folder that HAProxy is started in.
type Config struct {
	// Sections are the text of the configuration, in its order: global, defaults,
	// frontends by port, backends by name. Each name stands once among its kind.
	Sections []*Section
	// Blocks are the rows of RoutesMap. Each key stands in one block.
	Blocks []*Block
	// Files are what sections name, ordered by name, each once. RoutesMap is not
	// among them.
	Files []*File
	// Datagrams and others that the agent itself serves are in Detours.
	Detours Detours
	// Problems are the rules and listeners that cannot be said to HAProxy, each once,
	// and why. Rules answer 500.
	Problems []ir.Problem

	// said are the problems of rules, which may be at several ports.
	said   map[ir.Problem]bool
	target Target
	unit   *ir.Unit
	ports  []*order.Port
	// made is kept for the next translation; kept is what the last one made, while
	// this one is made.
	made, kept parts
	// sameSettings is true where the last translation had these settings.
	sameSettings bool
	// spare are sections that are to be made.
	spare []Section
}

// Section is one section of haproxy.cfg. It is immutable, and two equal pointers
// mean that nothing has changed.
type Section struct {
	// Kind and Name are its first line: "backend" and "shop_cart_8080_http1_5f2c...".
	// Global and defaults have no name.
	Kind, Name string
	// Lines follow, without their indentation and without the servers.
	Lines []string
	// Pool is where a backend's servers come from; nil where it has none that change.
	Pool *Pool
	// Origins are what it was made from, for what HAProxy objects to: every rule
	// that shares it.
	Origins []ir.Origin
}

// Pool is how a backend's endpoints become servers.
//
// HAProxy 3.0 takes every word of a server's line in "add server" as well, but for the
// section's defaults, of which there are none. Then the server is to be enabled
// ("enable server"), and its checks are not ("enable health"): they begin when it has
// been left out. The balancing of all sections lets servers come and go.
//
// Of a server of the same name only the weight may differ from one translation to the
// next: "set server ... weight". One that is a backup has another name than one that
// is not, and sections whose Params differ have other names themselves. A server that
// has gone is left alone by "set server ... state maint", and can be deleted when its
// last connection has ended; requests that it has are not cut off.
type Pool struct {
	Endpoints ir.EndpointsKey
	// Params are what every server of the pool has, but for its address, its weight
	// and whether it is a backup. They are part of the section's name.
	Params models.ServerParams
	// Through is what the agent's sockets are named by that endpoints are reached
	// through; empty where they are reached at their addresses.
	Through string
	// Servers are ordered by name, each once. They are not part of what makes two
	// sections equal: a running HAProxy takes them one by one.
	Servers []Server

	// says are Params as HAProxy reads them.
	says string
	// weight is what each server has that is used.
	weight int
	// ejection is what HAProxy's script has to know of leaving servers out.
	ejection string
}

// Server is one server line.
type Server struct {
	// Name is made of the address and the role: "10.0.0.7_8080", and
	// "10.0.0.7_8080_backup".
	Name    string
	Address netip.AddrPort
	// Weight is 0 to 256. An endpoint of weight 0 has its sessions and nothing else.
	Weight int
	// Backup is true for an endpoint that is used only where no other is left.
	Backup bool
}

// Row is one row of the map: its value is what the text after the key's first space
// says.
type Row struct{ Key, Value string }

// Block is the rows that one thing makes, ordered by key: a hostname, or a long text
// that others name. It is immutable, and two equal pointers mean that nothing has
// changed.
type Block struct{ Rows []Row }

// RoutesMap is the one map of a unit, so that one commit changes all of it at once.
const RoutesMap = "routes.map"

// FileKind says how a running HAProxy takes a file that has changed.
type FileKind string

// The kinds of files.
const (
	// Certificate is a chain with its key, PEM ("set ssl cert").
	Certificate FileKind = "certificate"
	// Authorities are trust anchors, PEM ("set ssl ca-file").
	Authorities FileKind = "authorities"
	// CertificateList is a crt-list ("add ssl crt-list").
	CertificateList FileKind = "certificates"
	// Constant is one that no unit changes: a script.
	Constant FileKind = "constant"
)

// File is a file that sections name.
type File struct {
	// Name is relative to HAProxy's folder.
	Name string
	Kind FileKind
	// Content prints as "[redacted]" where it is a certificate with its key.
	Content string
	Secret  ir.Secret
	Origins []ir.Origin
}
