package haproxy

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// layout is what a HAProxy runs and its folder holds: a configuration, without what
// cannot be bound, with the sections that nobody names any more and that no reload
// has taken away yet.
type layout struct {
	// sections are by kind and name, in no order.
	sections map[sectionKey]*translator.Section
	// order are those that are not backends.
	order  []*translator.Section
	blocks []*translator.Block
	files  map[string]*translator.File
	// gone is since when backends and files are named by nobody.
	gone map[any]time.Time
	// process is the part of the configuration that is this program's.
	process string

	// shards are the backends, parted so that a change of one writes little.
	shards [shards]shard
	routes string
}

type sectionKey struct{ kind, name string }

func keyOf(s *translator.Section) sectionKey { return sectionKey{s.Kind, s.Name} }

// shard is some of the backends, in a file.
type shard struct {
	sections []*translator.Section
	text     string
}

// shards are how many files the backends are in. Each edit of endpoints writes one of
// them, and each reload reads them all.
const shards = 64

// backendKind is the kind of sections that requests are led to, which a running
// HAProxy may have more of than anyone names.
const backendKind = "backend"

// The files of the configuration, in the order in which HAProxy reads them.
const (
	// processName is what is this program's, not the unit's, and what must not be shown.
	processName = "process.cfg"
	configName  = "haproxy.cfg"
	// backendsName is the folder of the shards.
	backendsName = "backends"
)

func shardName(i int) string { return fmt.Sprintf("%s/%02d.cfg", backendsName, i) }

func shardOf(name string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return int(h.Sum32() % shards)
}

// newLayout arranges a configuration. What last has and nobody names any more stays
// until it is swept.
func newLayout(c *translator.Config, last *layout, now time.Time) *layout {
	l := &layout{sections: map[sectionKey]*translator.Section{}, files: map[string]*translator.File{}, gone: map[any]time.Time{}, blocks: c.Blocks}
	for _, s := range c.Sections {
		l.sections[keyOf(s)] = s
		if s.Kind != backendKind {
			l.order = append(l.order, s)
		}
	}
	for _, f := range c.Files {
		l.files[f.Name] = f
	}
	if last == nil {
		last = &layout{}
	}
	l.linger(last, now)
	l.part(last)
	if last.routes != "" && slices.Equal(last.blocks, l.blocks) {
		l.routes = last.routes
	} else {
		l.routes = c.Map()
	}
	return l
}

// linger is how long what nobody names is kept: who edits there and back again needs
// no second reload. It goes with a reload that something else asks for.
const linger = time.Minute

// linger takes over what nobody names any more.
func (l *layout) linger(last *layout, now time.Time) {
	since := func(key any) time.Time {
		if at, known := last.gone[key]; known {
			return at
		}
		return now
	}
	for key, s := range last.sections {
		if l.sections[key] == nil && s.Kind == backendKind {
			l.gone[key] = since(key)
			l.sections[key] = s
		}
	}
	for name, f := range last.files {
		if l.files[name] == nil && l.leavingNames(name) {
			l.gone[name] = since(name)
			l.files[name] = f
		}
	}
}

// leavingNames reports whether a section that nobody names any more names a file.
// Other files, which may hold keys, go at once.
func (l *layout) leavingNames(file string) bool {
	for key := range l.gone {
		if key, ok := key.(sectionKey); ok && strings.Contains(l.sections[key].Text(), file) {
			return true
		}
	}
	return false
}

// swept is a layout without what nobody has named for long: what a reload takes.
func (l *layout) swept(now time.Time) *layout {
	next := *l
	next.sections, next.files, next.gone = maps.Clone(l.sections), maps.Clone(l.files), map[any]time.Time{}
	for key, since := range l.gone {
		if now.Sub(since) < linger {
			next.gone[key] = since
			continue
		}
		switch key := key.(type) {
		case sectionKey:
			delete(next.sections, key)
		case string:
			delete(next.files, key)
		}
	}
	if len(next.gone) < len(l.gone) {
		next.part(l)
	}
	return &next
}

// part writes the shards, those that have not changed as they were.
func (l *layout) part(last *layout) {
	l.shards = [shards]shard{}
	for _, s := range l.sections {
		if s.Kind == backendKind {
			one := &l.shards[shardOf(s.Name)]
			one.sections = append(one.sections, s)
		}
	}
	for i := range l.shards {
		one, before := &l.shards[i], &last.shards[i]
		slices.SortFunc(one.sections, func(a, b *translator.Section) int { return strings.Compare(a.Name, b.Name) })
		if one.text = before.text; !slices.Equal(one.sections, before.sections) {
			one.text = textOf(one.sections)
		}
	}
}

func textOf(sections []*translator.Section) string {
	var b strings.Builder
	for _, s := range sections {
		b.WriteString(s.Text())
	}
	return b.String()
}

// texts are the contents of the folder by name.
func (l *layout) texts() map[string]string {
	all := map[string]string{processName: l.process, configName: textOf(l.order), translator.RoutesMap: l.routes}
	for i := range l.shards {
		// A folder that is empty cannot be read.
		all[shardName(i)] = l.shards[i].text
	}
	for name, f := range l.files {
		all[name] = contentOf(f)
	}
	return all
}

func contentOf(f *translator.File) string { return f.Content + string(f.Secret) }

// at returns the section that a line of a file is in; nil where it is in none.
func (l *layout) at(file string, line int) *translator.Section {
	sections := l.order
	if file != configName {
		sections = nil
		for i := range l.shards {
			if file == shardName(i) {
				sections = l.shards[i].sections
			}
		}
	}
	for _, s := range sections {
		if line -= strings.Count(s.Text(), "\n"); line <= 0 {
			return s
		}
	}
	return nil
}
