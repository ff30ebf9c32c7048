package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// event is a line of `go test -json` (go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
}

// skip is a test that was skipped, and what it lacked.
type skip struct{ want, test string }

// tally is what is known of a run so far.
type tally struct {
	out      io.Writer
	packages map[string]*pack
	skipped  []skip
}

// pack is a package whose tests are running.
type pack struct {
	lines []line
	// ended has how each test ended: "pass", "skip" or "fail".
	ended map[string]string
	want  map[string]string
}

type line struct{ test, text string }

func newTally(out io.Writer) *tally { return &tally{out: out, packages: map[string]*pack{}} }

// read follows a run to its end.
func (t *tally) read(from io.Reader) error {
	r := bufio.NewReader(from)
	for {
		text, err := r.ReadString('\n')
		if text != "" {
			t.take(text)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// take reads a line. What is no event is what the go command says itself.
func (t *tally) take(text string) {
	var e event
	if json.Unmarshal([]byte(text), &e) != nil || e.Action == "" {
		_, _ = io.WriteString(t.out, text)
		return
	}
	if e.Action == "build-output" {
		_, _ = io.WriteString(t.out, e.Output)
		return
	}
	p := t.packages[e.Package]
	if p == nil {
		p = &pack{ended: map[string]string{}, want: map[string]string{}}
		t.packages[e.Package] = p
	}
	p.take(e)
	if e.Test == "" && (e.Action == "pass" || e.Action == "fail" || e.Action == "skip") {
		p.print(t.out, e.Action == "fail")
		t.skipped = append(t.skipped, p.skipped(e.Package)...)
		delete(t.packages, e.Package)
	}
}

var wanting = regexp.MustCompile(`skipped for want of ([A-Za-z0-9.-]+)`)

func (p *pack) take(e event) {
	switch e.Action {
	case "output":
		p.lines = append(p.lines, line{e.Test, e.Output})
		if m := wanting.FindStringSubmatch(e.Output); m != nil {
			p.want[e.Test] = strings.TrimRight(m[1], ".")
		}
	case "pass", "fail", "skip":
		p.ended[e.Test] = e.Action
	}
}

// print writes what go test would have, had it not been asked for everything:
// the output of what failed, or never ended, and the package's own last line.
func (p *pack) print(to io.Writer, failed bool) {
	for _, l := range p.lines {
		switch ended := p.ended[l.test]; {
		case chatter(l.text), !failed && l.test == "" && l.text == "PASS\n":
		case l.test == "" && !failed && !verdict(l.text):
		case l.test == "", failed && ended != "pass" && ended != "skip":
			_, _ = io.WriteString(to, l.text)
		}
	}
}

// chatter is a line that says which test runs.
func chatter(text string) bool {
	for _, start := range []string{"=== RUN ", "=== PAUSE ", "=== CONT ", "=== NAME "} {
		if strings.HasPrefix(text, start) {
			return true
		}
	}
	return false
}

// verdict is the go command's line about a package.
func verdict(text string) bool {
	return strings.HasPrefix(text, "ok  \t") || strings.HasPrefix(text, "?   \t") || strings.HasPrefix(text, "\t")
}

// skipped returns the package's tests that lacked something.
func (p *pack) skipped(path string) []skip {
	var all []skip
	for _, test := range slices.Sorted(maps.Keys(p.ended)) {
		if want := p.want[test]; want != "" && p.ended[test] == "skip" {
			all = append(all, skip{want, fmt.Sprintf("%s %s", path, test)})
		}
	}
	return all
}
