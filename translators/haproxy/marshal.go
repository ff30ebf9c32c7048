package haproxy

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
)

var _ json.Marshaler = (*Config)(nil)

// shown is a configuration as people read it: the texts that HAProxy reads, without
// secrets and without what is the same for every unit.
type shown struct {
	Config   string              `json:"haproxy.cfg"`
	Routes   []string            `json:"routes.map,omitempty"`
	Files    map[string][]string `json:"files,omitempty"`
	Agent    shownDetours        `json:"agent,omitzero"`
	Problems []ir.Problem        `json:"problems,omitempty"`
}

// shownDetours are what the agent does.
type shownDetours struct {
	Detours []shownDetour `json:"detours,omitempty"`
	// Datagrams are ports of UDP.
	Datagrams []uint16  `json:"datagrams,omitempty"`
	Openings  []Opening `json:"openings,omitempty"`
}

type shownDetour struct {
	Name    string      `json:"name"`
	Next    string      `json:"next"`
	Filters []ir.Filter `json:"filters,omitempty"`
	Use     []ir.Filter `json:"use,omitempty"`
}

// MarshalJSON writes what HAProxy reads, without secrets.
func (c *Config) MarshalJSON() ([]byte, error) {
	s := shown{Config: c.Text(), Agent: c.Detours.shown(), Problems: c.Problems}
	for r := range c.Rows() {
		s.Routes = append(s.Routes, r.Key+" "+r.Value)
	}
	slices.Sort(s.Routes)
	for _, f := range c.Files {
		if f.Kind == Constant {
			continue
		}
		if s.Files == nil {
			s.Files = map[string][]string{}
		}
		s.Files[f.Name] = f.lines()
	}
	return json.Marshal(s)
}

// lines are a file's, or a word in their place.
func (f *File) lines() []string {
	if f.Secret != "" {
		return []string{f.Secret.String()}
	}
	return strings.Split(strings.TrimSpace(f.Content), "\n")
}

func (d *Detours) shown() shownDetours {
	out := shownDetours{Openings: d.Openings}
	for _, one := range d.HTTP {
		out.Detours = append(out.Detours, shownDetour{Name: one.Name, Next: one.Next, Filters: one.Filters, Use: one.Use})
	}
	for _, p := range d.Datagrams {
		out.Datagrams = append(out.Datagrams, p.Port)
	}
	return out
}
