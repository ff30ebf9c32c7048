package envoy

import (
	"regexp"
	"slices"
	"strings"
)

// otherThan is an expression that matches every name but some: RE2 cannot say
// so in a word. A name that ends with "-" stands for all that begin with it.
func otherThan(names []string) string {
	root := &letters{}
	for _, name := range names {
		root.add(name)
	}
	return root.expression()
}

// letters is a tree of names by their letters.
type letters struct {
	next map[byte]*letters
	// name is where one of the names ends, and whole where all that follow it are
	// left out too.
	name, whole bool
}

func (l *letters) add(name string) {
	at := l
	for i := range len(name) {
		if at.next == nil {
			at.next = map[byte]*letters{}
		}
		if at.next[name[i]] == nil {
			at.next[name[i]] = &letters{}
		}
		at = at.next[name[i]]
	}
	at.name, at.whole = !strings.HasSuffix(name, "-"), strings.HasSuffix(name, "-")
}

// expression matches what may follow.
func (l *letters) expression() string {
	if len(l.next) == 0 {
		return ".+"
	}
	var known []byte
	for letter := range l.next {
		known = append(known, letter)
	}
	slices.Sort(known)
	var class strings.Builder
	alternatives := make([]string, 0, len(known)+2)
	for _, letter := range known {
		// A hyphen is the only sign of a class among the letters of names.
		class.WriteString(strings.ReplaceAll(string(letter), "-", `\-`))
		if then := l.next[letter]; !then.whole {
			alternatives = append(alternatives, regexp.QuoteMeta(string(letter))+then.expression())
		}
	}
	alternatives = append(alternatives, "[^"+class.String()+"].*")
	if !l.name {
		alternatives = append(alternatives, "")
	}
	return "(?:" + strings.Join(alternatives, "|") + ")"
}
