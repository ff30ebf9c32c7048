package arch

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	linkPattern    = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)`)
	headingPattern = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	fencePattern   = regexp.MustCompile("(?ms)^```.*?^```")
	spanPattern    = regexp.MustCompile("`make ([a-z][a-z0-9-]*)[^`]*`")
	commandPattern = regexp.MustCompile(`(?m)^\s*(?:\$ )?make ([a-z][a-z0-9-]*)`)
	targetPattern  = regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):`)
	notInSlug      = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// pages returns the paths of the tree's Markdown files, ordered.
func (t *Tree) pages() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(t.Text)), func(p string) bool { return path.Ext(p) != ".md" })
}

func checkLinks(t *Tree) []string {
	var broken []string
	for _, page := range t.pages() {
		prose := fencePattern.ReplaceAllString(t.Text[page], "")
		for _, m := range linkPattern.FindAllStringSubmatch(prose, -1) {
			if problem := t.linkProblem(page, m[1]); problem != "" {
				broken = append(broken, fmt.Sprintf("%s links to %s: %s; correct the link or write the page", page, m[1], problem))
			}
		}
	}
	return broken
}

func (t *Tree) linkProblem(page, link string) string {
	if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return ""
	}
	file, anchor, _ := strings.Cut(link, "#")
	target := page
	if file != "" {
		target = path.Join(path.Dir(page), file)
	}
	if !t.exists(target) {
		return "there is no " + target
	}
	if anchor != "" && path.Ext(target) == ".md" && !slices.Contains(anchors(t.Text[target]), anchor) {
		return "no heading of " + target + " has that anchor"
	}
	return ""
}

// exists reports whether a path is a file, or a folder with a file in it.
func (t *Tree) exists(p string) bool {
	if _, ok := t.Text[p]; ok {
		return true
	}
	for file := range t.Text {
		if strings.HasPrefix(file, p+"/") {
			return true
		}
	}
	return false
}

// anchors returns what the headings of a page are linked by.
func anchors(page string) []string {
	var slugs []string
	for _, m := range headingPattern.FindAllStringSubmatch(fencePattern.ReplaceAllString(page, ""), -1) {
		slug := notInSlug.ReplaceAllString(strings.ToLower(m[1]), "")
		slugs = append(slugs, strings.ReplaceAll(strings.TrimSpace(slug), " ", "-"))
	}
	return slugs
}

const decisions = "docs/adr"

func checkDecisions(t *Tree) []string {
	var broken []string
	index := t.Text[decisions+"/README.md"]
	for _, page := range t.pages() {
		name := path.Base(page)
		if path.Dir(page) != decisions || name == "README.md" {
			continue
		}
		if !strings.Contains(index, "("+name+")") {
			broken = append(broken, fmt.Sprintf("%s is not listed in %s/README.md: add a line that says what was decided", page, decisions))
		}
		for _, section := range []string{"## Context", "## Decision", "## Consequences"} {
			if !strings.Contains(t.Text[page], section+"\n") {
				broken = append(broken, fmt.Sprintf("%s has no %q: a decision has a context, a decision and consequences", page, section))
			}
		}
	}
	return broken
}

func checkTargets(t *Tree) []string {
	targets := map[string]bool{}
	for _, m := range targetPattern.FindAllStringSubmatch(t.Text["Makefile"], -1) {
		targets[m[1]] = true
	}
	var broken []string
	for _, page := range t.pages() {
		for _, name := range namedTargets(t.Text[page]) {
			if !targets[name] {
				broken = append(broken, fmt.Sprintf("%s names `make %s`, which the Makefile does not have: name one of `make help`", page, name))
			}
		}
	}
	return broken
}

// namedTargets returns the targets that a page names in code.
func namedTargets(page string) []string {
	var names []string
	for _, fence := range fencePattern.FindAllString(page, -1) {
		for _, m := range commandPattern.FindAllStringSubmatch(fence, -1) {
			names = append(names, m[1])
		}
	}
	for _, m := range spanPattern.FindAllStringSubmatch(fencePattern.ReplaceAllString(page, ""), -1) {
		names = append(names, m[1])
	}
	return names
}

// forbidden are strings of one machine or one network. They are written in two
// parts so that this file does not break its own rule.
var forbidden = []string{
	"/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/",
	"proxy.golang" + ".org", "sum.golang" + ".org", "deb.debian" + ".org", "security.debian" + ".org",
	"registry-1.docker" + ".io", "pypi" + ".org", "files.pythonhosted" + ".org", "registry.npmjs" + ".org",
}

func checkForbidden(t *Tree) []string {
	var broken []string
	for _, file := range slices.Sorted(maps.Keys(t.Text)) {
		for i, line := range strings.Split(t.Text[file], "\n") {
			for _, text := range forbidden {
				if strings.Contains(line, text) {
					broken = append(broken, fmt.Sprintf("%s:%d holds %q, which is true on one machine or network only: take it from the environment at run time", file, i+1, text))
				}
			}
		}
	}
	return broken
}
