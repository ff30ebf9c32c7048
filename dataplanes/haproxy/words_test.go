package haproxy

import (
	"slices"
	"strings"
	"testing"
	"time"

	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

func TestAlerts(t *testing.T) {
	said := `[NOTICE]   (344) : haproxy version is 3.0.11
[ALERT]    (344) : config : parsing [backends/07.cfg:11] : unknown keyword 'x' in 'backend' section
[WARNING]  (344) : config : something
[ALERT]    (344) : config : Error(s) found in configuration file : haproxy.cfg
[ALERT]    (344) : config : Fatal errors found in configuration.
`
	got := alerts(said)
	if want := []string{"parsing [backends/07.cfg:11] : unknown keyword 'x' in 'backend' section"}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	if got, want := objection(got[0]), "HAProxy refuses it: unknown keyword 'x' in 'backend' section"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWordsHoldNoSecret(t *testing.T) {
	for said, want := range map[string]string{
		"bad key " + strings.Repeat("aB3/", 20): "bad key [redacted]",
		"  ":                                    "it gives no reason",
	} {
		if got := clean(said); got != want {
			t.Errorf("%q: got %q, want %q", said, got, want)
		}
	}
}

func TestVersions(t *testing.T) {
	for said, want := range map[string]int{
		"HAProxy version 3.0.11-1+deb13u3 2026/05/20 - https://haproxy.org/\nStatus: x": 3,
		"HAProxy version 2.6.12-1 2026/10/17":                                           2,
		"HA-Proxy version 1.8.4":                                                        0,
		"HAProxy version 10.1-dev3":                                                     10,
		"Apache 3.0":                                                                    0,
		"":                                                                              0,
	} {
		if _, got := versionIn(said); got != want {
			t.Errorf("%q: got %d, want %d", said, got, want)
		}
	}
}

// Each line of each file leads to the section that it is of.
func TestLinesLeadToSections(t *testing.T) {
	c := &translator.Config{Sections: []*translator.Section{{Kind: "global", Lines: []string{"a", "b"}}, {Kind: "frontend", Name: "tcp_80", Lines: []string{"c"}}}}
	for _, name := range []string{"a", "b", "c", "d"} {
		c.Sections = append(c.Sections, &translator.Section{Kind: backendKind, Name: name, Lines: []string{"x " + name}})
	}
	l := newLayout(c, nil, time.Time{})
	for name, text := range l.texts() {
		number := 0
		for line := range strings.Lines(text) {
			number++
			if s := l.at(name, number); s != nil && strings.TrimSpace(line) != "" && !strings.Contains(s.Text(), line) {
				t.Errorf("%s:%d %q is said to be of %q", name, number, line, s.Text())
			} else if s == nil && name != processName && name != translator.RoutesMap {
				t.Errorf("%s:%d %q is of no section", name, number, line)
			}
		}
	}
}

// What nobody names any more stays, with the files that it names, until a reload comes
// long enough after.
func TestWhatNobodyNamesLingers(t *testing.T) {
	section := func(name string) *translator.Section {
		return &translator.Section{Kind: backendKind, Name: name, Lines: []string{"server x ca-file " + name + ".pem"}}
	}
	file := func(name string) *translator.File {
		return &translator.File{Name: name + ".pem", Kind: translator.Authorities}
	}
	begin := time.Unix(1e9, 0)
	a, b := section("a"), section("b")
	first := newLayout(&translator.Config{Sections: []*translator.Section{a, b}, Files: []*translator.File{file("a"), file("b"), file("key")}}, nil, begin)
	second := newLayout(&translator.Config{Sections: []*translator.Section{b}, Files: []*translator.File{file("b")}}, first, begin)
	has := func(l *layout, name string) bool {
		return l.sections[sectionKey{backendKind, name}] != nil && l.files[name+".pem"] != nil &&
			strings.Contains(l.texts()[shardName(shardOf(name))], "backend "+name+"\n")
	}
	if c := difference(first, second, nil); c.reload || !has(second, "a") {
		t.Errorf("a section that nobody names takes a reload: %t, is there: %t", c.reload, has(second, "a"))
	}
	if second.files["key.pem"] != nil {
		t.Error("a file that no section names lingers")
	}
	if !has(second.swept(begin.Add(linger-1)), "a") {
		t.Error("it goes at once")
	}
	if swept := second.swept(begin.Add(linger)); has(swept, "a") || !has(swept, "b") {
		t.Error("it does not go, or what is named does")
	}
	if back := newLayout(&translator.Config{Sections: []*translator.Section{a, b}, Files: []*translator.File{file("a"), file("b")}}, second, begin.Add(linger)); len(back.gone) > 0 {
		t.Errorf("%v are named again", back.gone)
	}
}
