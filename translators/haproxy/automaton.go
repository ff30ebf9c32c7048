package haproxy

import (
	"cmp"
	"errors"
	"fmt"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Bounds of an expression: what is larger could be written shorter, and its
// comparison would cost too much.
const (
	mostSteps  = 5_000
	mostRanges = 20_000
	mostText   = 200_000
)

var errTooLarge = errors.New("is too large for HAProxy: repeat less, or write classes of characters more plainly")

// automaton writes a regular expression as lua/automaton.lua reads it: the steps of
// Go's own program, which is RE2's meaning, over classes of runes that no step tells
// apart.
func automaton(pattern string) (string, error) {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", err
	}
	if size(parsed) > mostSteps {
		return "", errTooLarge
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return "", err
	}
	a := &classing{program: program}
	if err := a.read(); err != nil {
		return "", err
	}
	text := a.classes() + ";" + a.steps()
	if len(text) > mostText {
		return "", errTooLarge
	}
	return text, nil
}

// size is about how many steps an expression makes, so that those that are written
// shorter than they are need not be compiled to be found too large.
func size(re *syntax.Regexp) int {
	all := 1
	for _, sub := range re.Sub {
		all += size(sub)
	}
	switch re.Op {
	case syntax.OpLiteral:
		all += len(re.Rune)
	case syntax.OpRepeat:
		all *= max(re.Min, re.Max, 1)
	}
	return min(all, mostSteps+1)
}

// classing sorts runes into classes.
type classing struct {
	program *syntax.Prog
	// ranges are what each step of runes wants, by the step.
	ranges map[int][]rune
	// firsts are the first runes of what all steps treat alike, ascending, and of
	// says of which class each is.
	firsts []rune
	of     []int
	// sets are the ranges of each step of runes, equal ones once, and wanted the
	// classes of each set.
	sets   map[int]int
	wanted [][]int
	// kinds are those of classes: "w", "n" or nothing.
	kinds []string
}

// read finds the classes of a program.
func (a *classing) read() error {
	if len(a.program.Inst) > mostSteps {
		return errTooLarge
	}
	a.ranges = map[int][]rune{}
	total, lines, words := 0, false, false
	for i := range a.program.Inst {
		step := &a.program.Inst[i]
		if step.Op == syntax.InstEmptyWidth {
			place := syntax.EmptyOp(step.Arg)
			lines = lines || place&(syntax.EmptyBeginLine|syntax.EmptyEndLine) != 0
			words = words || place&(syntax.EmptyWordBoundary|syntax.EmptyNoWordBoundary) != 0
			continue
		}
		if wanted, ok := runes(step); ok {
			a.ranges[i] = wanted
			total += len(wanted)
		}
	}
	if total > mostRanges {
		return errTooLarge
	}
	a.divide(lines, words)
	listed := 0
	for _, set := range a.sets {
		listed += len(a.wanted[set])
	}
	if listed > mostText {
		return errTooLarge
	}
	return nil
}

// runes returns the ranges of a step that wants a rune, as pairs of first and last.
func runes(step *syntax.Inst) ([]rune, bool) {
	switch step.Op {
	case syntax.InstRune, syntax.InstRune1:
		if len(step.Rune) != 1 {
			return step.Rune, true
		}
		r := step.Rune[0]
		all := []rune{r, r}
		if syntax.Flags(step.Arg)&syntax.FoldCase != 0 {
			for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
				all = append(all, f, f)
			}
		}
		return all, true
	case syntax.InstRuneAny:
		return []rune{0, unicode.MaxRune}, true
	case syntax.InstRuneAnyNotNL:
		return []rune{0, '\n' - 1, '\n' + 1, unicode.MaxRune}, true
	default:
		return nil, false
	}
}

// wordRanges are what \b calls a letter of a word.
var wordRanges = []rune{'0', '9', 'A', 'Z', '_', '_', 'a', 'z'}

// edge is where some range begins or ends.
type edge struct {
	at   rune
	set  int
	into bool
}

// divide makes classes of runes that are in the same of some sets: the ranges of
// steps, equal ones once, and the line's end and words where places are asked for.
func (a *classing) divide(lines, words bool) {
	var edges []edge
	add := func(set int, ranges []rune) {
		for i := 0; i+1 < len(ranges); i += 2 {
			edges = append(edges, edge{ranges[i], set, true}, edge{ranges[i+1] + 1, set, false})
		}
	}
	sets := map[string]int{}
	a.sets = map[int]int{}
	for _, i := range a.stepsOfRunes() {
		text := string(a.ranges[i])
		set, known := sets[text]
		if !known {
			set = len(sets)
			sets[text] = set
			add(set, a.ranges[i])
		}
		a.sets[i] = set
	}
	line, word := len(sets), len(sets)+1
	if lines {
		add(line, []rune{'\n', '\n'})
	}
	if words {
		add(word, wordRanges)
	}
	members := a.sweep(edges)
	a.wanted = make([][]int, len(sets)+2)
	for class, in := range members {
		for _, set := range in {
			a.wanted[set] = append(a.wanted[set], class)
		}
	}
	a.kinds = make([]string, len(members))
	a.mark(word, "w")
	a.mark(line, "n")
}

// mark says that the classes of a set are of a kind.
func (a *classing) mark(set int, kind string) {
	for _, class := range a.wanted[set] {
		a.kinds[class] = kind
	}
}

func (a *classing) stepsOfRunes() []int {
	all := make([]int, 0, len(a.ranges))
	for i := range a.program.Inst {
		if a.ranges[i] != nil {
			all = append(all, i)
		}
	}
	return all
}

// sweep goes over all edges from the least rune to the largest, and returns the sets
// that each class is in, ascending.
func (a *classing) sweep(edges []edge) [][]int {
	// A set is left before it is entered again.
	slices.SortFunc(edges, func(x, y edge) int {
		if x.at == y.at && x.into != y.into {
			if y.into {
				return -1
			}
			return 1
		}
		return cmp.Compare(x.at, y.at)
	})
	var members [][]int
	known := map[string]int{}
	var in []int
	for i, at := 0, rune(0); at <= unicode.MaxRune; {
		for ; i < len(edges) && edges[i].at == at; i++ {
			in = edges[i].cross(in)
		}
		name := fmt.Sprint(in)
		class, found := known[name]
		if !found {
			class = len(members)
			known[name] = class
			members = append(members, slices.Clone(in))
		}
		a.firsts, a.of = append(a.firsts, at), append(a.of, class)
		if at = unicode.MaxRune + 1; i < len(edges) {
			at = edges[i].at
		}
	}
	return members
}

// cross changes the sets that runes are in.
func (e edge) cross(in []int) []int {
	at, found := slices.BinarySearch(in, e.set)
	switch {
	case e.into && !found:
		return slices.Insert(in, at, e.set)
	case !e.into && found:
		return slices.Delete(in, at, at+1)
	default:
		return in
	}
}

func (a *classing) classes() string {
	var b strings.Builder
	last := -1
	for i, first := range a.firsts {
		if a.of[i] == last {
			continue
		}
		if last = a.of[i]; i > 0 {
			b.WriteByte(',')
		}
		_, _ = fmt.Fprintf(&b, "%x:%x%s", first, last, a.kinds[last])
	}
	return b.String()
}

// steps writes the program from its start, without steps that do nothing.
func (a *classing) steps() string {
	places := map[uint32]int{}
	var order []uint32
	place := func(at uint32) string {
		for op := a.program.Inst[at].Op; op == syntax.InstNop || op == syntax.InstCapture; op = a.program.Inst[at].Op {
			at = a.program.Inst[at].Out
		}
		if _, known := places[at]; !known {
			places[at] = len(order)
			order = append(order, at)
		}
		return strconv.FormatInt(int64(places[at]), 16)
	}
	place(uint32(a.program.Start)) //nolint:gosec // A program is bounded.
	var all []string
	for i := 0; i < len(order); i++ {
		step := &a.program.Inst[order[i]]
		switch step.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			all = append(all, "a"+place(step.Out)+","+place(step.Arg))
		case syntax.InstEmptyWidth:
			all = append(all, "e"+place(step.Out)+","+strconv.FormatInt(int64(step.Arg), 16))
		case syntax.InstMatch:
			all = append(all, "m")
		case syntax.InstFail:
			all = append(all, "f")
		default:
			all = append(all, "r"+place(step.Out)+a.list(int(order[i])))
		}
	}
	return strings.Join(all, ";")
}

func (a *classing) list(step int) string {
	var b strings.Builder
	set, ok := a.sets[step]
	if !ok {
		return ""
	}
	for _, class := range a.wanted[set] {
		b.WriteString("," + strconv.FormatInt(int64(class), 16))
	}
	return b.String()
}
