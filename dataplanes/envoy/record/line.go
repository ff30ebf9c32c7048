package record

import (
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/agent/said"
	envoy "github.com/sluice-gateway/sluice/translators/envoy"
)

// line is what Envoy wrote of one request or stream, field by field. A field that
// it has nothing for is empty.
type line [envoy.LogFields]string

const (
	opening = `{"` + envoy.LogKey + `":[`
	closing = `]}`
)

// parse reads a line as Envoy writes it, and says whether it is one. What it keeps
// are parts of the text wherever nothing is escaped.
func (l *line) parse(text string) bool {
	text, ok := strings.CutPrefix(text, opening)
	if !ok {
		return false
	}
	for i := range l {
		if i > 0 {
			if text, ok = strings.CutPrefix(text, ","); !ok {
				return false
			}
		}
		if l[i], text, ok = said.Value(text); !ok {
			return false
		}
	}
	return text == closing
}
