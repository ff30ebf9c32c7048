package haproxy

import (
	"iter"
	"slices"
	"strings"
)

// files are what sections name.
func (c *Config) files() []*File {
	all := []*File{
		{Name: admitScript, Kind: Constant, Content: admit},
		{Name: decideScript, Kind: Constant, Content: decideText()},
		{Name: serversFile, Kind: Constant, Content: serversScript},
		{Name: sessionFile, Kind: Constant, Content: session},
		{Name: streamScript, Kind: Constant, Content: streamSource},
	}
	return slices.Concat(all, c.upstreamFiles(), c.certificateFiles(), c.anchorsFiles(), c.lists())
}

// Text is the configuration as HAProxy reads it.
func (c *Config) Text() string {
	var b strings.Builder
	for _, s := range c.Sections {
		s.write(&b)
	}
	return b.String()
}

// Text is the section as HAProxy reads it.
func (s *Section) Text() string {
	var b strings.Builder
	s.write(&b)
	return b.String()
}

func (s *Section) write(b *strings.Builder) {
	b.WriteString(strings.TrimSpace(s.Kind + " " + s.Name))
	b.WriteByte('\n')
	for _, line := range s.Lines {
		b.WriteString("  " + line + "\n")
	}
	if s.Pool != nil {
		for _, server := range s.Pool.Servers {
			b.WriteString("  " + s.Pool.Line(server) + "\n")
		}
	}
	b.WriteByte('\n')
}

// Map is the text of RoutesMap.
func (c *Config) Map() string {
	var b strings.Builder
	for r := range c.Rows() {
		b.WriteString(r.Key + " " + r.Value + "\n")
	}
	return b.String()
}

// Rows yields all rows of RoutesMap.
func (c *Config) Rows() iter.Seq[Row] {
	return func(yield func(Row) bool) {
		for _, b := range c.Blocks {
			for _, r := range b.Rows {
				if !yield(r) {
					return
				}
			}
		}
	}
}
