package envoy

import (
	"regexp/syntax"
	"strings"
	"unicode"
	"unicode/utf8"
)

// undecoded turns an expression over a decoded value of a query into one over
// the value as it comes. What it cannot turn (a boundary of words, an anchor in
// the middle) stays as it is, and fits values that need no decoding. A "%" that
// is no escape fits nothing but ".*" and ".+", which fit a line's end, too.
func undecoded(pattern string) string {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return pattern
	}
	var b strings.Builder
	if !undecode(&b, withoutAnchors(parsed)) {
		return pattern
	}
	return b.String()
}

// withoutAnchors takes away what says that the whole value is meant: it is.
func withoutAnchors(re *syntax.Regexp) *syntax.Regexp {
	switch {
	case re.Op == syntax.OpCapture:
		return withoutAnchors(re.Sub[0])
	case re.Op == syntax.OpBeginText || re.Op == syntax.OpEndText:
		return &syntax.Regexp{Op: syntax.OpEmptyMatch}
	case re.Op != syntax.OpConcat:
		return re
	}
	subs := re.Sub
	for len(subs) > 0 && subs[0].Op == syntax.OpBeginText {
		subs = subs[1:]
	}
	for len(subs) > 0 && subs[len(subs)-1].Op == syntax.OpEndText {
		subs = subs[:len(subs)-1]
	}
	return &syntax.Regexp{Op: syntax.OpConcat, Sub: subs}
}

// repeats are the signs of what repeats.
var repeats = map[syntax.Op]string{syntax.OpStar: "*", syntax.OpPlus: "+", syntax.OpQuest: "?"}

func undecode(b *strings.Builder, re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return true
	case syntax.OpStar, syntax.OpPlus:
		if dot := re.Sub[0].Op; dot == syntax.OpAnyChar || dot == syntax.OpAnyCharNotNL {
			b.WriteString("[^&]" + repeats[re.Op])
			return true
		}
		return undecodeRepeated(b, re)
	case syntax.OpLiteral:
		return undecodeLiteral(b, re)
	case syntax.OpCharClass:
		return undecodeClass(b, re.Rune)
	case syntax.OpAnyChar:
		return undecodeClass(b, []rune{0, unicode.MaxRune})
	case syntax.OpAnyCharNotNL:
		return undecodeClass(b, []rune{0, '\n' - 1, '\n' + 1, unicode.MaxRune})
	case syntax.OpCapture, syntax.OpConcat, syntax.OpQuest:
		return undecodeRepeated(b, re)
	case syntax.OpAlternate:
		return undecodeAll(b, re.Sub, "|")
	case syntax.OpRepeat:
		return undecodeRepeat(b, re)
	default:
		return false
	}
}

func undecodeRepeated(b *strings.Builder, re *syntax.Regexp) bool {
	ok := undecodeAll(b, re.Sub, "")
	b.WriteString(repeats[re.Op])
	return ok
}

func undecodeAll(b *strings.Builder, subs []*syntax.Regexp, between string) bool {
	b.WriteString("(?:")
	for i, sub := range subs {
		if i > 0 {
			b.WriteString(between)
		}
		if !undecode(b, sub) {
			return false
		}
	}
	b.WriteString(")")
	return true
}

func undecodeRepeat(b *strings.Builder, re *syntax.Regexp) bool {
	if !undecodeAll(b, re.Sub, "") {
		return false
	}
	count := &syntax.Regexp{Op: syntax.OpRepeat, Min: re.Min, Max: re.Max, Sub: []*syntax.Regexp{{Op: syntax.OpLiteral, Rune: []rune{'a'}}}}
	b.WriteString(strings.TrimPrefix(count.String(), "a"))
	return true
}

func undecodeLiteral(b *strings.Builder, re *syntax.Regexp) bool {
	for _, r := range re.Rune {
		class := []rune{r, r}
		if re.Flags&syntax.FoldCase != 0 {
			for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
				class = append(class, f, f)
			}
		}
		if !undecodeClass(b, class) {
			return false
		}
	}
	return true
}

// mostRunes bounds how many runes above ASCII are written one by one.
const mostRunes = 64

// undecodeClass writes every way in which one of some runes can be written.
// Class holds pairs of first and last.
func undecodeClass(b *strings.Builder, class []rune) bool {
	var ways []string
	for i := 0; i+1 < len(class); i += 2 {
		for r := class[i]; r <= min(class[i+1], unicode.MaxASCII); r++ {
			ways = append(ways, oneOctet(byte(r)))
		}
		first := max(class[i], unicode.MaxASCII+1)
		switch {
		case first > class[i+1]:
		case first == unicode.MaxASCII+1 && class[i+1] == unicode.MaxRune:
			ways = append(ways, `%[C-Fc-f]`+hexDigit+`(?:%[89ABab]`+hexDigit+`){1,3}`)
		case class[i+1]-first >= mostRunes:
			return false
		default:
			for r := first; r <= class[i+1]; r++ {
				ways = append(ways, escapes(r))
			}
		}
	}
	b.WriteString("(?:" + strings.Join(ways, "|") + ")")
	return len(ways) > 0
}

// oneOctet is every way of an ASCII octet but a "%" that is no escape.
func oneOctet(c byte) string {
	if c == '%' {
		return escaped(c)
	}
	return octet(c, "")
}

func escapes(r rune) string {
	var b strings.Builder
	for _, c := range utf8.AppendRune(nil, r) {
		b.WriteString(escaped(c))
	}
	return b.String()
}
