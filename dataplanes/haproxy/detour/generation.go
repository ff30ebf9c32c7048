package detour

import (
	"net/netip"

	"github.com/sluice-gateway/sluice/dataplanes/internal/filter"
	"github.com/sluice-gateway/sluice/dataplanes/internal/trail"
	"github.com/sluice-gateway/sluice/dataplanes/internal/upstream"
	"github.com/sluice-gateway/sluice/ir"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// generation is all that is read of one input. It never changes.
type generation struct {
	in Input
	// detours are by name, those of the generation before among them.
	detours map[string]*detour
	// own are those of this generation alone.
	own      map[string]*detour
	pools    *upstream.Pools
	trail    trail.Trail
	problems []ir.Problem
}

// detour is a compiled one.
type detour struct {
	*translator.Detour
	filters, use *filter.Chain
	err          error
}

func newGeneration(in Input, last *generation, place upstream.Place) *generation {
	g := &generation{
		in: in, trail: trail.Trail(in.Detours.Trail), detours: map[string]*detour{}, own: make(map[string]*detour, len(in.Detours.HTTP)),
	}
	for name, d := range last.own {
		g.detours[name] = d
	}
	for _, spec := range in.Detours.HTTP {
		g.add(spec, last.own[spec.Name])
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
	g.own[spec.Name], g.detours[spec.Name] = d, d
}

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
