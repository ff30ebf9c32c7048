package guard

import "sync/atomic"

// Input is what the process may use.
type Input struct {
	// Descriptors is how many it may have open; 0 is unknown.
	Descriptors uint64
	// Memory is in bytes; 0 is no bound.
	Memory int64
}

// Guard is one process's.
type Guard struct {
	// Clients are connections of clients and sessions of UDP clients: each holds a
	// descriptor, but for those of QUIC, which nothing else would bound.
	Clients *Budget
	// Opening are those of them whose first bytes have not come whole: handshakes
	// of TLS, hellos, PROXY headers. A flood of them leaves most places to others.
	Opening *Budget
	// Sessions are those of UDP clients among them, half at the most: one datagram
	// begins one, under any address, and it lasts for a minute.
	Sessions *Budget
	// Requests are under way: each can hold a descriptor of a backend's.
	Requests *Budget
	// Idle are connections to backends that are kept for requests to come.
	Idle *Budget

	memory  int64
	pressed atomic.Bool
}

// spare is what neither clients nor backends are given: sockets that listen, the
// admin port, its scrapers, files, copies of requests, questions to
// authorization servers.
const spare = 256

// New shares the descriptors out: nine tenths of a half to clients, as much to
// requests, and what is left to connections that are idle. What carries no
// requests takes a client's descriptor and, out of the requests' share, its
// backend's.
func New(in Input) *Guard {
	g := &Guard{memory: in.Memory, Clients: &Budget{}, Opening: &Budget{}, Sessions: &Budget{}, Requests: &Budget{}, Idle: &Budget{}}
	if in.Descriptors == 0 {
		return g
	}
	// More than this is no bound that anybody reaches.
	const plenty = 1 << 31
	n := int64(min(in.Descriptors, plenty))
	n -= min(spare, n/4)
	share := max(n*45/100, 1)
	g.Clients, g.Requests = NewBudget(share), NewBudget(share)
	g.Opening, g.Sessions = NewBudget(max(share/4, 1)), NewBudget(max(share/2, 1))
	g.Idle = NewBudget(max(n-2*share, 1))
	return g
}

// Pressed says whether memory is nearly used up.
func (g *Guard) Pressed() bool { return g.pressed.Load() }
