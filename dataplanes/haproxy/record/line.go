package record

import (
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/agent/said"
	haproxy "github.com/sluice-gateway/sluice/translators/haproxy"
)

// line is what HAProxy wrote of one request or stream, field by field. A field that it
// has nothing for is empty.
type line [haproxy.LogFields]string

const (
	opening = `{"` + haproxy.LogName + `": `
	between = `, "` + haproxy.LogName + `": `
	closing = `}`
)

// parse reads a line as HAProxy writes it, and says whether it is one. What it keeps
// are parts of the text wherever nothing is escaped.
func (l *line) parse(text string) bool {
	next := opening
	for i := range l {
		rest, ok := strings.CutPrefix(text, next)
		if !ok {
			return false
		}
		if l[i], text, ok = said.Value(rest); !ok {
			return false
		}
		next = between
	}
	return text == closing
}

// lost returns how many lines HAProxy says that it could not keep.
func lost(text string) int {
	count, rest, _ := strings.Cut(text, " event")
	if !strings.HasSuffix(rest, " dropped") {
		return 0
	}
	n, _ := strconv.Atoi(count)
	return n
}

func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}
