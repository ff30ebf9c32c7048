package haproxy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// Detours are what passes through the agent, because HAProxy cannot do it: mirrors,
// external authorization, UDP, and the verification of URIs in certificates.
type Detours struct {
	// HTTP are ordered by name, each once.
	HTTP []*Detour
	// Datagrams are the ports of UDP, ascending.
	Datagrams []*order.Port
	// Openings are ordered by socket, each once.
	Openings []Opening
	// Trail is the target's.
	Trail string
}

// Detour is what the agent does with requests that one section sends to it: all
// filters of their rule and of its use of a backend, in the order that they have for
// every proxy. HAProxy does what is left.
type Detour struct {
	// Name is the section's, which requests name in what they are led by.
	Name string
	// Filters are the rule's, and Use those of its use of a backend.
	Filters, Use []ir.Filter
	// Request bounds the exchange as a whole, as the rule says; 0 is no bound.
	Request time.Duration
	// Session is the rule's; the section that goes on reads its token. Nil for none.
	Session *ir.Session
	// Next is the section that goes on with what has passed.
	Next string
	// H2 is true where requests go on over HTTP/2, for backends that speak it.
	H2 bool
	// Port is the listeners'.
	Port uint16
	// Origins are the rules that it is part of.
	Origins []ir.Origin
}

// The sockets between HAProxy and its agent, in HAProxy's folder.
const (
	// DetourSocket is the agent's: it takes what is to pass.
	DetourSocket = "detour.sock"
	// ReturnSocket is HAProxy's: it takes what has passed.
	ReturnSocket = "return.sock"
)

// Fields of the requests and responses between HAProxy and its agent. Their names
// begin with DetourPrefix, and what comes from elsewhere under such a name is
// removed.
const (
	DetourPrefix = "sluice-detour-"
	// DetourClient is the address and port of the client's end of the connection,
	// with a colon between them.
	DetourClient = DetourPrefix + "client"
	// DetourScheme is how the client speaks with the listener.
	DetourScheme = DetourPrefix + "scheme"
	// DetourVersion is the major version of HTTP that the client speaks.
	DetourVersion = DetourPrefix + "version"
	// DetourTo is the row that led the request, and DetourPeer the client as far as
	// trusted hops tell: variables that are carried.
	DetourTo   = DetourPrefix + "to"
	DetourPeer = DetourPrefix + "peer"
	// DetourNext is the section that goes on; the agent sets it.
	DetourNext = DetourPrefix + "next"
	// DetourFlag is why the agent itself answered, in its response.
	DetourFlag = DetourPrefix + "flag"
	// DetourServed is which server answered, and after how many others, in the response
	// of HAProxy's return.
	DetourServed = DetourPrefix + "served"
)

// DetourLost is the section that answers where there is none of the name that a request
// is to go on with: a reload has taken it away while the request was with the agent.
const DetourLost = "detour_lost"

// carried are the variables that survive a detour: whoever reads one that is not
// here behind a detour finds it empty.
var carried = []string{varTo, varHost, varPath, varGRPC, varPeer}

const (
	// varPeer is the client as far as trusted hops tell.
	varPeer = "txn.peer"
	// varServed is DetourServed's: the section and the server that have answered behind
	// a detour, and how many tries there were after the first.
	varServed = "txn.served"
	// varNext is the section that goes on behind one.
	varNext = "txn.next"
)

// carrier is the field that a variable travels in.
func carrier(variable string) string {
	return DetourPrefix + strings.TrimPrefix(variable, "txn.")
}

// detoured says whether requests of a rule's use of a backend pass through the
// agent. Use is nil for a rule without backends.
func detoured(rule *ir.Rule, use *ir.BackendUse) bool {
	needs := func(f ir.Filter) bool { return f.Mirror != nil || f.ExternalAuth != nil }
	return slices.ContainsFunc(rule.Filters, needs) || use != nil && slices.ContainsFunc(use.Filters, needs)
}

// detour returns the name of the section that sends requests to the agent, and makes
// it. The name says all that the agent does with them.
func (c *Config) detour(d Detour, origin ir.Origin) string {
	d.Name = "detour_" + digest([]string{
		marshal(d.Filters), marshal(d.Use), d.Request.String(), d.Next, strconv.FormatBool(d.H2), strconv.Itoa(int(d.Port)),
	})
	known := c.made.detours[d.Name]
	if known == nil {
		known = &d
		c.made.detours[d.Name] = known
	}
	if !slices.Contains(known.Origins, origin) {
		known.Origins = append(known.Origins, origin)
	}
	return c.keep(d.Name, origin, func(name string) *Section {
		return &Section{Kind: "backend", Name: name, Lines: c.detourLines(known)}
	})
}

// marshal writes filters as text; there is no value in them that JSON lacks.
func marshal(filters []ir.Filter) string {
	text, _ := json.Marshal(filters)
	return string(text)
}

// passing returns what serves the requests of a rule that the agent has to do with.
// What it does is all of their filters: HAProxy goes on as for a rule without any.
func (c *Config) passing(p *order.Port, e order.Entry) []share {
	bare := *e.Rule
	bare.Filters = nil
	then := e
	then.Rule = &bare
	d := Detour{Filters: e.Rule.Filters, Request: c.bound(e.Rule), Session: e.Rule.Session, Port: p.Port}
	uses := weighed(e.Rule)
	if len(uses) == 0 {
		d.Next = c.ending(c.newWalk(p), &bare)
		return []share{{section: c.detour(d, e.Rule.Origin), weight: 1}}
	}
	all := make([]share, 0, len(uses))
	for _, use := range uses {
		if !detoured(e.Rule, use) {
			all = append(all, c.section(p, e, use))
			continue
		}
		one, bareUse := d, *use
		bareUse.Filters = nil
		next := c.section(p, then, &bareUse)
		one.Use, one.Next = use.Filters, next.section
		one.H2 = use.Backend != nil && (use.Backend.Protocol == ir.BackendH2 || use.Backend.Protocol == ir.BackendH2C)
		all = append(all, share{section: c.detour(one, e.Rule.Origin), pool: next.pool, weight: use.Weight})
	}
	return all
}

// objectionToPassing is why a rule cannot be served, but for filters that the agent
// reads.
func objectionToPassing(p *order.Port, rule *ir.Rule) error {
	for i := range rule.Backends {
		if use := &rule.Backends[i]; !detoured(rule, use) {
			if err := (&walk{port: p}).run(use.Filters); err != nil {
				return fmt.Errorf("backends[%d].%w", i, err)
			}
		}
	}
	return objectionToRetry(rule.Retry)
}

// anyDetour says whether the agent has to do with any of a rule's requests.
func anyDetour(rule *ir.Rule) bool {
	for i := range rule.Backends {
		if detoured(rule, &rule.Backends[i]) {
			return true
		}
	}
	return detoured(rule, nil)
}

// detourLines send requests to the agent, and take its word for what became of them.
func (c *Config) detourLines(d *Detour) []string {
	lines := []string{
		"http-request del-header " + DetourPrefix + " -m beg",
		"http-request set-header " + DetourClient + " %[src]:%[src_port]",
		"http-request set-header " + DetourVersion + " %[fc_http_major]",
		"http-request set-header " + DetourScheme + " %[ssl_fc,iif(https,http)]",
	}
	for _, variable := range carried {
		lines = append(lines, "http-request set-header "+carrier(variable)+" %[var("+variable+")] if { var("+variable+") -m found }")
	}
	return append(lines,
		"http-response set-var("+varServed+") res.fhdr("+DetourServed+")",
		"http-response set-var("+varFlag+") res.fhdr("+DetourFlag+") if { res.fhdr("+DetourFlag+") -m found }",
		"http-response del-header "+DetourPrefix+" -m beg",
		"http-reuse always",
		"timeout tunnel "+milliseconds(0),
		"timeout server "+milliseconds(patience(d.Request)),
		// Connections of HTTP/2 would be shared by clients, and one that reads slowly
		// would have the others wait.
		"server agent unix@"+DetourSocket,
	)
}

// patience is how long the agent may say nothing, 0 for ever. It keeps the rule's time
// itself: what is longer is for an agent that does not answer any more.
func patience(request time.Duration) time.Duration {
	if request <= 0 {
		return 0
	}
	return request + 5*time.Second
}

// comeBack is where requests that have passed the agent go on. Nobody else can reach
// it: the socket is in HAProxy's own folder.
func (c *Config) comeBack() []*Section {
	if len(c.made.detours) == 0 {
		return nil
	}
	lines := []string{"bind unix@" + ReturnSocket + " mode 600"}
	for _, variable := range carried {
		lines = append(lines, "http-request set-var("+variable+") req.fhdr("+carrier(variable)+") if { req.fhdr("+carrier(variable)+") -m found }")
	}
	lines = append(lines,
		"http-request set-var("+varNext+") req.fhdr("+DetourNext+")",
		"http-request set-src req.fhdr("+DetourClient+"),regsub(:[0-9]+$,)",
		"http-request set-src-port req.fhdr("+DetourClient+"),regsub(^.*:,)",
		"http-request del-header "+DetourPrefix+" -m beg",
		"http-after-response del-header "+DetourPrefix+" -m beg",
		"http-after-response set-header "+DetourFlag+" %[var("+varFlag+")] if { var("+varFlag+") -m found }",
		"http-after-response set-header "+DetourServed+" %[be_name]|%[srv_name]|%[txn.conn_retries]",
	)
	lines = append(lines, statusesOfGRPC()...)
	return []*Section{
		{Kind: "frontend", Name: "detour_return", Lines: append(lines, "use_backend %[var("+varNext+")]", "default_backend "+DetourLost)},
		{Kind: "backend", Name: DetourLost, Lines: []string{"http-request return status 503"}},
	}
}

// Unit is what the configuration was made of. Detours name its backends.
func (c *Config) Unit() *ir.Unit { return c.unit }

// detours are what the agent needs to know.
func (c *Config) detours() Detours {
	d := Detours{Trail: c.target.Trail, Openings: c.openings()}
	for _, one := range c.made.detours {
		d.HTTP = append(d.HTTP, one)
	}
	slices.SortFunc(d.HTTP, func(a, b *Detour) int { return cmp.Compare(a.Name, b.Name) })
	for _, p := range c.ports {
		if p.Protocol == ir.UDP {
			d.Datagrams = append(d.Datagrams, p)
		}
	}
	return d
}
