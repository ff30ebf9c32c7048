package haproxy

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// patterns are expressions that engines of regular expressions read in different ways, or
// take too long for.
var patterns = []string{
	"", "a", "a*", "(a+)+$", "(a|a)*b", "(a*)*", "(|a)+", "a||b", "(?i)straSSe", "(?i)k", "(?i)ſ", "[^x]", "[^x]*", ".", ".*", "(?s).", "(?s).*",
	`\pL+`, `\PL`, `\p{Greek}+`, `(?i)\p{Lu}`, `[[:alpha:]]+`, `[[:^alpha:]]`, `\d+`, `\D`, `\w+`, `\W`, `\s`, `\S+`, `\bfoo\b`, `foo\b.*`, `\Bo+`, `.*\Boo`,
	`\b`, `\B`, `^`, `$`, `^$`, `(?m)^a$`, `(?ms)a$.^b`, `(?m)(^|x)*a`, `a\z`, `\Aa`, `(?:\A|x)a`, `x*^a`, `a$b*`, `(?U)a+`, `a{2,4}`, `(ab){3}`, `(a?){20}a{20}`,
	`[a-z&&[^b]]`, `[\]]`, `\x{10FFFF}`, `[\x{D7FF}-\x{E000}]`, `\x{FFFD}`, `[^\x{FFFD}]`, `\Qa.b\E`, `é+`, `[é-ü]`, `日本`, `(?i)É`, `\x00`, `[^\n]`, `\n`, `(?:a|ab)(?:c|bcd)`,
	`(a|b)*a(a|b){12}`, `[^/]+/m`, `/users/[0-9]+(/.*)?`, `(?i:a)b`, `(?-s).`, `a.c`, `%`, `;,:>&|`, `[^\x00-\x{10FFFF}]`, `a|[^\x00-\x{10FFFF}]`, `(?P<name>a)\w`, `\ba|b\B`, `(\b|a)+`,
	`(?i)[k-s]`, `[[:word:]]{3}`, `\t`, ` +`, `.{3}`, `(?s).{3}`, `(?i)(ß|ẞ)`, `(?i)σ`, `x{0}`, `x{0,1}y`, `(x{0,3}){2}`,
}

// pieces are what texts are made of.
var pieces = []string{
	"a", "b", "x", "A", "B", "foo", "o", " ", "\t", "\n", "_", "0", "9", "/", "%", ";", ">", "|", "é", "É", "ü", "日", "本", "σ", "ς", "Σ", "ſ", "s", "S", "K", "k", "\u212a", "ß", "ẞ",
	"\xff", "\xc3", "\xe6\x97", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\x80", "\ufffd", "\U0010ffff", "\ue000", "\ud7ff", "\x00", "ab", "ac", "abcd", "straSSe", "strasse", "STRAſſE", "\x7f", "\u0080", "\r", "/users/7", "/m", "a.b",
}

func someText(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(7) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

// likely is a text that has something of a pattern.
func likely(r *rand.Rand, pattern string) string {
	if pattern == "" || r.IntN(2) == 0 {
		return someText(r)
	}
	from := r.IntN(len(pattern))
	return pattern[from:from+r.IntN(len(pattern)-from+1)] + someText(r)
}

// asParameter writes a text as a query's first parameter, every octet of it escaped.
func asParameter(text string) string {
	var b strings.Builder
	for i := range len(text) {
		_, _ = fmt.Fprintf(&b, "%%%02x", text[i])
	}
	return "p=" + b.String()
}

// expressing loads a unit that leads requests by patterns: the one at i is asked of a
// query's parameter where the path is "/i".
func (r *rig) expressing(t fails, all []string) {
	t.Helper()
	var matches []ir.Match
	for i, pattern := range all {
		matches = append(matches, ir.Match{
			Path:  ir.PathMatch{Kind: ir.Exact, Value: fmt.Sprintf("/%d", i)},
			Query: []ir.ValueMatch{{Name: "p", Kind: ir.Regex, Value: pattern}},
		})
	}
	config := Translate(matching(matches...), Target{}, nil)
	if len(config.Problems) > 0 {
		t.Fatalf("%v", config.Problems)
	}
	r.load(t, config)
}

// fits asks HAProxy whether a text fits a pattern.
func (r *rig) fits(t fails, door *asking, at int, text string) bool {
	t.Helper()
	said := door.ask(t, order.Request{Method: "GET", Host: "any", Path: fmt.Sprintf("/%d", at), Query: asParameter(text)})
	switch {
	case strings.HasSuffix(said, fmt.Sprintf("|HTTPRoute/n/r/%d|", at)):
		return true
	case strings.HasSuffix(said, "|answer_404||"):
		return false
	default:
		t.Fatalf("%q: HAProxy says %s", text, said)
		return false
	}
}

// TestExpressionsMeanWhatGoSays holds HAProxy to Go's expressions, over every octet.
func TestExpressionsMeanWhatGoSays(t *testing.T) {
	r := startRig(t, 80)
	r.expressing(t, patterns)
	door := r.dial(t, 80)
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // A test's own.
	for i, pattern := range patterns {
		compiled, err := order.Regexp(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for range 40 {
			text := likely(random, pattern)
			if got, want := r.fits(t, door, i, text), compiled.MatchString(text); got != want {
				t.Errorf("%q fits %q: %t, want %t", pattern, text, got, want)
			}
		}
	}
}

// drawPattern puts an expression together from everything that Go's syntax has.
func drawPattern(t *rapid.T, depth int) string {
	leaf := func() string {
		return rapid.SampledFrom([]string{
			"a", "b", "ab", "x", ".", "é", "ſ", "K", "σ", `\n`, "[ab]", "[^a]", "[^\\n]", `\w`, `\W`, `\d`, `\s`, `\pL`, `\PL`, `[[:alpha:]]`, "[é-ü]", `\x{FFFD}`,
			"^", "$", `\A`, `\z`, `\b`, `\B`, "", "/", "%", `\.`,
		}).Draw(t, "leaf")
	}
	if depth == 0 {
		return leaf()
	}
	one := func() string { return drawPattern(t, depth-1) }
	switch rapid.IntRange(0, 7).Draw(t, "kind") {
	case 0:
		return one() + one()
	case 1:
		return one() + one() + one()
	case 2:
		return "(" + one() + "|" + one() + ")"
	case 3:
		return "(?:" + one() + ")" + rapid.SampledFrom([]string{"*", "+", "?", "*?", "+?", "??", "{2}", "{0,2}", "{1,}", "{2,3}?"}).Draw(t, "times")
	case 4:
		return "(?" + rapid.SampledFrom([]string{"i", "s", "m", "U", "is", "ms", "im", "i-s"}).Draw(t, "flags") + ":" + one() + ")"
	case 5:
		return one() + "|" + one()
	default:
		return leaf()
	}
}

// TestRandomExpressionsMeanWhatGoSays puts many expressions into the rows at once.
func TestRandomExpressionsMeanWhatGoSays(t *testing.T) {
	r := startRig(t, 80)
	door := r.dial(t, 80)
	rapid.Check(t, func(t *rapid.T) {
		var all []string
		var compiled []*regexp.Regexp
		for range 10 {
			pattern := drawPattern(t, 4)
			one, err := order.Regexp(pattern)
			// Classes of characters that are repeated often enough are refused.
			if _, large := automaton(pattern); err == nil && large == nil {
				all, compiled = append(all, pattern), append(compiled, one)
			}
		}
		r.expressing(t, all)
		for i, pattern := range all {
			for range 8 {
				text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 6).Draw(t, "text"), "")
				if got, want := r.fits(t, door, i, text), compiled[i].MatchString(text); got != want {
					t.Fatalf("%q fits %q: %t, want %t", pattern, text, got, want)
				}
			}
		}
	})
}

// FuzzExpression holds HAProxy to Go's expressions on any pattern and any text.
func FuzzExpression(f *testing.F) {
	random := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // A test's own.
	for _, pattern := range patterns {
		f.Add(pattern, likely(random, pattern))
	}
	f.Add(`\C`, "a")
	f.Add(`(a`, "a")
	f.Add(`((a{100}){100}){100}`, "a")
	r := startRig(f, 80)
	f.Fuzz(func(t *testing.T, pattern, text string) {
		compiled, err := order.Regexp(pattern)
		if _, large := automaton(pattern); err != nil || large != nil {
			return
		}
		if len(text) > 5000 { // It must stand in a request line.
			return
		}
		r.expressing(t, []string{pattern})
		door := r.dial(t, 80)
		defer func() { _ = door.connection.Close() }()
		if got, want := r.fits(t, door, 0, text), compiled.MatchString(text); got != want {
			t.Errorf("%q fits %q: %t, want %t", pattern, text, got, want)
		}
	})
}
