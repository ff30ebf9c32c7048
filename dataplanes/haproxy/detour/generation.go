package detour

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/filter"
	"github.com/sluice-gateway/sluice/dataplanes/internal/trail"
	"github.com/sluice-gateway/sluice/dataplanes/internal/upstream"
	"github.com/sluice-gateway/sluice/ir"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// generation is all that is read of one input. It never changes.
type generation struct {
	in Input
	// detours are by name, and those among them that are named no more but were lately:
	// a process of HAProxy's that is about to end may lead there still.
	detours  map[string]*detour
	pools    *upstream.Pools
	trail    trail.Trail
	problems []ir.Problem
}

// detour is a compiled one.
type detour struct {
	*translator.Detour
	filters, use *filter.Chain
	err          error
	// unnamed is since when nothing leads there; the zero time where something does.
	unnamed time.Time
}

// lately is how long a detour is kept that nothing leads to any more.
const lately = 2 * time.Minute

func newGeneration(in Input, last *generation, place upstream.Place) *generation {
	g := &generation{in: in, trail: trail.Trail(in.Detours.Trail), detours: make(map[string]*detour, len(in.Detours.HTTP))}
	for _, spec := range in.Detours.HTTP {
		g.add(spec, last.detours[spec.Name])
	}
	now := time.Now()
	for name, d := range last.detours {
		if g.detours[name] == nil && (d.unnamed.IsZero() || now.Sub(d.unnamed) < lately) {
			g.detours[name] = d.leaving(now)
		}
	}
	g.pools = upstream.Next(last.pools, upstream.Input{
		Backends: g.backends(), Certificates: certificates(in.Unit), Endpoints: in.Unit.Endpoints,
		Connect: in.Unit.Proxy.Settings.Timeouts.Connect, Place: place,
		ID: func(ir.EndpointsKey, ir.Endpoint) upstream.ID { return upstream.ID{} },
	})
	return g
}

// add compiles a detour, or takes it over: its name says what it does.
func (g *generation) add(spec *translator.Detour, known *detour) {
	d := &detour{Detour: spec}
	if known != nil {
		d.filters, d.use, d.err = known.filters, known.use, known.err
	} else if d.filters, d.err = filter.Compile(spec.Filters); d.err == nil {
		d.use, d.err = filter.Compile(spec.Use)
	}
	if d.err != nil {
		for _, origin := range spec.Origins {
			g.problems = append(g.problems, ir.Problem{Origin: origin, Message: d.err.Error()})
		}
	}
	g.detours[spec.Name] = d
}

// leaving is a detour that nothing leads to any more, now or since longer.
func (d *detour) leaving(now time.Time) *detour {
	if !d.unnamed.IsZero() {
		return d
	}
	left := *d
	left.unnamed = now
	return &left
}

// inPlaceOf is what a rule goes on with now on its way to a backend, where the section
// that it went on with before is there no more; nil where there is nothing of the kind.
func (g *generation) inPlaceOf(rule string, last *detour) *detour {
	for _, d := range g.detours {
		if d.unnamed.IsZero() && d.Next != last.Next && beginning(d.Next) == beginning(last.Next) && slices.ContainsFunc(d.Origins, func(o ir.Origin) bool {
			return translator.Tag(o) == rule
		}) {
			return d
		}
	}
	return nil
}

// beginning is what a section's name says of its backend.
func beginning(section string) string { return section[:strings.LastIndexByte(section, '_')+1] }

// backends are those that the agent itself reaches.
func (g *generation) backends() []*ir.Backend {
	needed := map[ir.BackendKey]bool{}
	for _, d := range g.detours {
		need(needed, d.Filters)
		need(needed, d.Use)
	}
	for _, p := range g.in.Detours.Datagrams {
		for _, s := range p.Streams {
			for _, rule := range rules(s) {
				for i := range rule.Backends {
					if key := rule.Backends[i].Backend; key != nil {
						needed[*key] = true
					}
				}
			}
		}
	}
	for _, o := range g.in.Detours.Openings {
		needed[o.Backend] = true
	}
	var all []*ir.Backend
	for _, b := range g.in.Unit.Proxy.Backends {
		if needed[b.Key] {
			all = append(all, b)
		}
	}
	return all
}

func need(needed map[ir.BackendKey]bool, filters []ir.Filter) {
	for i := range filters {
		switch f := &filters[i]; {
		case f.Mirror != nil:
			needed[f.Mirror.Backend] = true
		case f.ExternalAuth != nil:
			needed[f.ExternalAuth.Backend] = true
		}
	}
}

func certificates(unit *ir.Unit) map[ir.CertificateKey]*ir.Certificate {
	m := make(map[ir.CertificateKey]*ir.Certificate, len(unit.Proxy.Certificates))
	for _, c := range unit.Proxy.Certificates {
		m[c.Key] = c
	}
	return m
}

// address is where a port is bound; not valid for one that the offset puts out of
// range.
func (g *generation) address(port uint16) netip.AddrPort {
	number := int(port) + g.in.PortOffset
	if number < 1 || number > 65535 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(g.in.Address, uint16(number))
}
