package haproxy

import (
	"slices"
	"strconv"
	"strings"

	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// change is what a running HAProxy is told so that it runs another layout.
type change struct {
	// reload is true where it cannot be told without one.
	reload bool
	// first makes what is led to, rows leads requests, last takes away what nobody is
	// led to any more, and after that what nobody names.
	first, last, after []command
	rows               bool
	// left are the servers that get no new request, back those that do again.
	left, back []serverKey
	// leaving are the servers that HAProxy still has.
	leaving map[serverKey]translator.Server
}

// serverKey names a server of a section.
type serverKey struct{ section, name string }

func (k serverKey) String() string { return k.section + "/" + k.name }

// difference is what leads from one layout to another. Leaving are the servers that
// have been taken out and that HAProxy still has.
func difference(from, to *layout, leaving map[serverKey]translator.Server) *change {
	c := &change{leaving: leaving, rows: !slices.Equal(from.blocks, to.blocks)}
	c.reload = from.process != to.process || len(from.order) != len(to.order)
	for key, s := range to.sections {
		c.section(from.sections[key], s)
	}
	for name, f := range to.files {
		c.file(from.files[name], f)
	}
	for name, f := range from.files {
		if to.files[name] == nil {
			c.drop(f)
		}
	}
	return c
}

// drop takes a file away that HAProxy keeps in memory.
func (c *change) drop(f *translator.File) {
	switch f.Kind {
	case translator.Certificate:
		c.after = append(c.after, command{line: "del ssl cert " + f.Name})
	case translator.Authorities:
		c.after = append(c.after, command{line: "del ssl ca-file " + f.Name})
	default:
		c.reload = true
	}
}

// section compares a section with the one that runs.
func (c *change) section(have, want *translator.Section) {
	switch {
	case have == want || c.reload:
	case have == nil || !slices.Equal(have.Lines, want.Lines) || (have.Pool == nil) != (want.Pool == nil):
		c.reload = true
	case have.Pool != want.Pool:
		c.servers(have, want)
	}
}

// servers compares the servers of a section, which are ordered by name.
func (c *change) servers(have, want *translator.Section) {
	old, next := have.Pool.Servers, want.Pool.Servers
	for len(old)+len(next) > 0 {
		switch {
		case len(next) == 0 || len(old) > 0 && old[0].Name < next[0].Name:
			c.retire(serverKey{have.Name, old[0].Name})
			old = old[1:]
		case len(old) == 0 || next[0].Name < old[0].Name:
			c.add(want, next[0])
			next = next[1:]
		default:
			c.weigh(serverKey{want.Name, next[0].Name}, old[0], next[0])
			old, next = old[1:], next[1:]
		}
	}
}

func (c *change) retire(key serverKey) {
	c.last = append(c.last, command{line: "set server " + key.String() + " state maint"})
	c.left = append(c.left, key)
}

func (c *change) add(section *translator.Section, s translator.Server) {
	key := serverKey{section.Name, s.Name}
	if had, there := c.leaving[key]; there {
		c.weigh(key, had, s)
		c.first = append(c.first, command{line: "set server " + key.String() + " state ready"})
		c.back = append(c.back, key)
		return
	}
	options := section.Pool.Options(s)
	// The command line reads quotes and hashes in another way than a file is read.
	if strings.ContainsAny(options, "\"'\\;#<") {
		c.reload = true
	}
	c.first = append(c.first, command{line: "add server " + key.String() + " " + options}, command{line: "enable server " + key.String()})
}

func (c *change) weigh(key serverKey, have, want translator.Server) {
	weight := have
	if weight.Weight = want.Weight; weight != want {
		c.reload = true
		return
	}
	if have != want {
		c.first = append(c.first, command{line: "set server " + key.String() + " weight " + strconv.Itoa(want.Weight)})
	}
}

// file compares a file with the one that is there.
func (c *change) file(have, want *translator.File) {
	switch {
	case have == want || have != nil && have.Kind == want.Kind && contentOf(have) == contentOf(want):
	case have != nil && have.Kind != want.Kind:
		c.reload = true
	case want.Kind == translator.Certificate:
		c.load(have == nil, "ssl cert", want)
	case want.Kind == translator.Authorities:
		c.load(have == nil, "ssl ca-file", want)
	case want.Kind == translator.CertificateList && have != nil:
		c.list(have, want)
	default:
		c.reload = true
	}
}

// load hands a file over that HAProxy keeps in memory.
func (c *change) load(fresh bool, what string, f *translator.File) {
	var all []command
	if fresh {
		all = append(all, command{line: "new " + what + " " + f.Name})
	}
	all = append(all,
		command{line: "set " + what + " " + f.Name, payload: dense(contentOf(f))},
		command{line: "commit " + what + " " + f.Name, wants: "Success!"},
	)
	// Lists name them: they come first.
	c.first = slices.Concat(all, c.first)
}

// dense is a text without empty lines, which would end it.
func dense(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			b.WriteString(strings.TrimRight(line, "\r\n") + "\n")
		}
	}
	return b.String()
}

// list changes the entries of a list of certificates one by one. Where a certificate
// stands twice it is not told which is meant.
func (c *change) list(have, want *translator.File) {
	old, next := entries(contentOf(have)), entries(contentOf(want))
	names := map[string]bool{}
	for _, line := range slices.Concat(old, without(next, old)) {
		name, _, _ := strings.Cut(line, " ")
		if names[name] {
			c.reload = true
			return
		}
		names[name] = true
	}
	if len(old) == 0 || len(next) == 0 || old[0] != next[0] {
		// The first one is for whoever names no host, and stays the first.
		c.reload = true
		return
	}
	added, gone := without(next, old), without(old, next)
	if slices.ContainsFunc(slices.Concat(added, gone), demanding) {
		// Whoever is connected was let in under other rules: a reload ends what they have.
		c.reload = true
		return
	}
	for _, line := range added {
		c.first = append(c.first, command{line: "add ssl crt-list " + want.Name, payload: line})
	}
	for _, line := range gone {
		name, _, _ := strings.Cut(line, " ")
		c.last = append(c.last, command{line: "del ssl crt-list " + want.Name + " " + name})
	}
}

// demanding says whether a line of a list has settings of its own: what is asked of
// clients, or that none is let in.
func demanding(line string) bool { return strings.Contains(line, " [") }

func entries(list string) []string {
	var all []string
	for line := range strings.Lines(list) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return all
}

func without(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(line string) bool { return slices.Contains(some, line) })
}
