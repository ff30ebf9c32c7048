package dir

import (
	"bytes"
	"strings"
)

// chunk is the text of one document of a file.
type chunk struct {
	// line is the number of lines before the text.
	line int
	text string
}

// split cuts a file into its documents, so that a syntax error in one does not
// reach the next. In YAML a line that begins with the marker ends a document
// whatever it holds, a block of text included.
func split(data []byte) []chunk {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	var chunks []chunk
	current := chunk{}
	var text strings.Builder
	flush := func(next int) {
		if current.text = text.String(); !blank(current.text) {
			chunks = append(chunks, current)
		}
		text.Reset()
		current = chunk{line: next}
	}
	for i, line := range strings.SplitAfter(string(data), "\n") {
		switch {
		case marker(line, "..."):
			flush(i + 1)
		case marker(line, "---"):
			flush(i)
			// What stands behind the marker belongs to the document.
			text.WriteString("   " + line[3:])
		default:
			text.WriteString(line)
		}
	}
	flush(0)
	return chunks
}

func marker(line, mark string) bool {
	rest, ok := strings.CutPrefix(line, mark)
	return ok && (rest == "" || strings.ContainsAny(rest[:1], " \t\r\n"))
}

// blank reports whether a text holds nothing but comments and directives.
func blank(text string) bool {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && line[0] != '#' && line[0] != '%' {
			return false
		}
	}
	return true
}
