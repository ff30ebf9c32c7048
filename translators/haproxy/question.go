package haproxy

import (
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/editing"
	"github.com/sluice-gateway/sluice/ir/order"
)

// question writes what a row asks, as lua/decide.lua reads it. It holds everything
// that entries of one place want but for where they stand.
type question struct {
	text   strings.Builder
	config *Config
	// texts are what the row names.
	texts []text
	// rule is the one whose alternative is written.
	rule *ir.Rule
	// ended is true after an alternative that wants nothing.
	ended bool
}

// add writes an alternative, which ends in where it leads.
func (w *question) add(e order.Entry, to string) {
	if w.ended {
		return
	}
	w.rule = e.Rule
	m := e.Match()
	var wanted []string
	if m.Method != "" {
		wanted = append(wanted, "m="+escape(m.Method))
	}
	if m.Path.Kind == ir.Regex {
		wanted = append(wanted, w.path(m.Path.Value))
	}
	for _, h := range m.Headers {
		if ofConnection(h.Name) {
			wanted = append(wanted, "n=")
			continue
		}
		wanted = append(wanted, w.value("h", h))
	}
	for _, q := range m.Query {
		wanted = append(wanted, w.value("q", q))
	}
	w.alternative(strings.Join(wanted, "&"), to)
}

func (w *question) alternative(wanted, to string) {
	if w.text.Len() > 0 {
		w.text.WriteByte(';')
	}
	w.text.WriteString(wanted + ">" + to)
	w.ended = wanted == ""
}

// path asks a regular expression of the path. One that cannot be read, or is too
// large, claims what it surely meant.
func (w *question) path(pattern string) string {
	if name, ok := w.expression(pattern); ok {
		return "p~" + name
	}
	prefix, _ := order.Claims(pattern)
	return "p*" + escape(prefix)
}

// ofConnection reports whether a field belongs to the connection or to the framing of
// a message, and is no header that a match could meet, whatever the client sends.
func ofConnection(name string) bool {
	switch name {
	case "expect", "proxy", "proxy-authenticate", "proxy-authorization":
		return true
	default:
		return editing.Framing(name)
	}
}

// value asks for a header or a parameter. An expression that cannot be read, or is
// too large, is met by every value: its rule answers 500.
func (w *question) value(kind string, want ir.ValueMatch) string {
	name := escape(want.Name)
	if want.Kind != ir.Regex {
		return kind + "=" + name + "=" + escape(want.Value)
	}
	if expression, ok := w.expression(want.Value); ok {
		return kind + "~" + name + "=" + expression
	}
	return kind + "*" + name
}

// stage says where a row stands: "=", "~", or "/" and the length of the path in its
// key.
func stageOf(length int) string { return "/" + strconv.Itoa(length) }

// mostInline is how long a value may be that asks something. A longer one stands
// under its name, which is what is looked up once it has been compiled.
const mostInline = 200

// row ends the writing.
func (w *question) row(key, stage string) Row {
	text := w.text.String()
	if len(text) > mostInline {
		text = "+" + w.name(text)
	}
	return Row{key, "?" + stage + ":" + text}
}

const plain = "-._/"

// escape writes a text of users into a value: all but letters, digits and a few signs
// that mean nothing there is "%" and two digits.
func escape(text string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(plain, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', digits[c>>4], digits[c&15]})
	}
	return b.String()
}
