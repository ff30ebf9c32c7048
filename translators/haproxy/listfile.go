package haproxy

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

const (
	// mostFilters bounds the names of one line of a list.
	mostFilters = 500
	// mostExcluded bounds those that it excludes: HAProxy reads at most 2,048 words.
	mostExcluded = 900
)

// lists are the lists of certificates.
func (c *Config) lists() []*File {
	var all []*File
	for _, p := range c.ports {
		if l := c.made.lists[p]; l != nil && len(l.entries) > 0 {
			all = append(all, l.write(c))
		}
	}
	for _, one := range c.unit.Proxy.Listeners {
		if l := c.made.whole[one.Key]; l != nil {
			all = append(all, l.write(c))
		}
	}
	return all
}

// group is what the entries of one line have in common.
type group struct {
	listener *ir.Listener
	leaf     *leaf
	refuses  bool
}

// write writes a list. "*" comes first: HAProxy takes the first line for it.
func (l *list) write(c *Config) *File {
	f := &File{Name: l.file, Kind: CertificateList}
	below := l.below()
	names := map[group][]string{}
	var groups []group
	var lines []string
	for _, e := range l.entries {
		switch excluded := l.excluded(below[e.name], e.leaf.algorithm); {
		case len(excluded) > mostExcluded:
			c.Problems = append(c.Problems, tooMany(e, len(excluded)))
		case len(excluded) > 0:
			lines = append(lines, l.line(e, filters([]string{e.name}, ""), filters(excluded, "!")))
		default:
			g := group{e.listener, e.leaf, e.refuses}
			if names[g] == nil {
				groups = append(groups, g)
			}
			names[g] = append(names[g], e.name)
		}
		f.Origins = append(f.Origins, originOf(e.listener))
	}
	slices.SortStableFunc(groups, func(a, b group) int { return isWhole(names[b]) - isWhole(names[a]) })
	var first []string
	for _, g := range groups {
		for few := range slices.Chunk(names[g], mostFilters) {
			e := l.by[few[0]][slices.IndexFunc(l.by[few[0]], func(e *entry) bool { return e.leaf == g.leaf })]
			first = append(first, l.line(e, filters(few, "")))
		}
	}
	f.Origins = compactOrigins(f.Origins)
	f.Content = strings.Join(append(append(first, lines...), ""), "\n")
	return f
}

func isWhole(names []string) int {
	if slices.Contains(names, order.AnyHost) {
		return 1
	}
	return 0
}

func compactOrigins(all []ir.Origin) []ir.Origin {
	seen := map[ir.Origin]bool{}
	return slices.DeleteFunc(all, func(o ir.Origin) bool {
		was := seen[o]
		seen[o] = true
		return was
	})
}

// line is one line of a list.
func (l *list) line(e *entry, filters ...string) string {
	line := certificateFile(e.leaf.from.Key)
	switch {
	case e.refuses && e.leaf.algorithm == x509.RSA:
		// A signature that the key cannot make ends handshakes before anything is shown.
		line += " [sigalgs ECDSA+SHA256]"
	case e.refuses:
		line += " [sigalgs RSA+SHA256]"
	default:
		line += l.verification(e)
	}
	return line + strings.Join(filters, "")
}

// filters are names as a line has them. Clients may write a trailing dot.
func filters(names []string, before string) string {
	var b strings.Builder
	for _, name := range names {
		b.WriteString(" " + before + name)
		if name != order.AnyHost {
			b.WriteString(" " + before + name + ".")
		}
	}
	return b.String()
}

// below are the names below each wildcard that have entries of their own, or none on
// purpose.
func (l *list) below() map[string][]string {
	all := map[string][]string{}
	put := func(name string) {
		if up := parent(name); up != "" && len(l.by[up]) > 0 {
			all[up] = append(all[up], name)
		}
	}
	for name := range l.by {
		put(name)
	}
	for _, name := range l.closed {
		put(name)
	}
	for _, names := range all {
		slices.Sort(names)
	}
	return all
}

// excluded are the names below a wildcard that could be answered with one of its
// certificates though they have their own: those without one of its algorithm.
func (l *list) excluded(names []string, algorithm x509.PublicKeyAlgorithm) []string {
	var all []string
	for _, name := range names {
		own := func(e *entry) bool { return e.leaf.algorithm == algorithm }
		if !slices.ContainsFunc(l.by[name], own) {
			all = append(all, name)
		}
	}
	return all
}

func tooMany(e *entry, n int) ir.Problem {
	return ir.Problem{Origin: originOf(e.listener), Message: fmt.Sprintf(
		"%d listeners below hostname %q have certificates of another algorithm, and HAProxy can keep at most %d apart: "+
			"give the listener a certificate of their algorithm", n, e.name, mostExcluded)}
}

// rows say whose TLS HAProxy has answered each server name with.
func (l *list) rows() []Row {
	var all []Row
	for name, entries := range l.by {
		whose := listenerName(entries[0].listener.Key)
		all = append(all, Row{sniKey(l.port, name), whose})
		if name != order.AnyHost {
			all = append(all, Row{sniKey(l.port, name+"."), whose})
		}
	}
	return all
}
