package terminal

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/operator/source/dir"
)

// painter writes lines, in colour where it may.
type painter struct {
	strings.Builder
	colour bool
	// columns is how wide the terminal is; 0 leaves lines as long as they are.
	columns int
}

// text writes sentences below an object, broken between words where the terminal
// would break them anywhere.
func (p *painter) text(words string) {
	for _, l := range wrap(printable(words), p.columns-len(indent)) {
		p.line("%s%s", indent, l)
	}
}

const (
	indent = "      "
	// leastColumns is what a text needs to be read; a narrower terminal gets it
	// as it is.
	leastColumns = 30
)

// wrap breaks a text into lines of at most so many columns. A word that is
// longer than that stays whole, so that it can be copied.
func wrap(text string, columns int) []string {
	if columns < leastColumns {
		return []string{text}
	}
	var lines []string
	at := 0
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if len(lines) == 0 || at+1+n > columns {
			lines, at = append(lines, word), n
			continue
		}
		lines[len(lines)-1] += " " + word
		at += 1 + n
	}
	return lines
}

// The few colours, as SGR parameters.
const (
	green  = "32"
	yellow = "33"
	red    = "31"
	dim    = "2"
	bold   = "1"
)

func (p *painter) paint(code, text string) string {
	if !p.colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p *painter) line(format string, args ...any) {
	fmt.Fprintf(p, format+"\n", args...)
}

func (p *painter) sign(m mark) string {
	switch m {
	case good:
		return p.paint(green, "✓")
	case waiting:
		return p.paint(dim, "…")
	case warned:
		return p.paint(yellow, "!")
	default:
		return p.paint(red, "✗")
	}
}

// widths are those of the columns.
type widths struct{ kind, name int }

func (w *widths) fit(rows []row) {
	for _, r := range rows {
		w.kind = max(w.kind, len(r.key.Kind))
		w.name = max(w.name, utf8.RuneCountInString(nameOf(r)))
	}
}

func nameOf(r row) string {
	if r.key.Namespace == "" {
		return r.key.Name
	}
	return r.key.Namespace + "/" + r.key.Name
}

func (p *painter) row(r row, w widths) {
	about := r.about
	if r.mark == bad {
		about = ""
	}
	text := fmt.Sprintf("  %s %-*s  %-*s  %s", p.sign(r.mark), w.kind, r.key.Kind, w.name, nameOf(r), p.paint(dim, about))
	p.line("%s", strings.TrimRight(text, " "))
	for _, l := range lines(r.troubles) {
		p.trouble(l)
	}
}

func (p *painter) trouble(t line) {
	colour := red
	switch t.mark {
	case warned:
		colour = yellow
	case waiting:
		colour = dim
	}
	p.line("      %s", p.paint(colour, t.head()))
	p.text(t.message)
	for _, at := range t.places {
		p.line("      %s", p.paint(dim, at))
	}
}

func (p *painter) problem(problem dir.Problem) {
	m := bad
	switch {
	case problem.Note:
		p.line("  %s %s", p.paint(dim, "·"), p.paint(dim, printable(problem.String())))
		return
	case problem.Kept:
		m = warned
	}
	p.line("  %s %s", p.sign(m), p.paint(bold, problem.Place.String()))
	text := problem.Message
	if problem.Field != "" {
		text = problem.Field + ": " + text
	}
	if problem.Object.Name != "" {
		p.line("      %s", problem.Object)
	}
	p.text(text)
	if problem.Kept {
		p.line("      %s", p.paint(dim, "its last good state stays in force"))
	}
}

// printable takes what could steer a terminal out of text that a file holds.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
