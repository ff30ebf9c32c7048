package record

import (
	"strings"
	"unsafe"
)

// inPlace returns a string over b, which must not change while it is in use. A line
// is read in place, as a copy of each would cost more than its reading: what outlives
// the line is kept in texts.
func inPlace(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// texts are made of parts of lines, and stay when those are gone.
type texts map[string]string

// of returns what was made of a part of a line, or makes it. What is made may be a part
// of the argument.
func (t texts) of(part string, how func(string) string) string {
	if part == "" {
		return ""
	}
	if made, ok := t[part]; ok {
		return made
	}
	if len(t) >= mostKnown {
		clear(t)
	}
	part = strings.Clone(part)
	t[part] = how(part)
	return t[part]
}

func itself(text string) string { return text }
