package parity

import (
	"encoding/json"
	"strings"
	"time"
)

// logged is a line of the access log, as far as it is looked at.
type logged struct {
	Path  string `json:"path"`
	Tries int    `json:"tries"`
}

// tried judges how many endpoints each request was sent to, once all of them are
// in the access log.
func (p *play) tried(r *Request, answers int, j *judge) {
	if j.want.Tries == 0 || r == nil {
		return
	}
	if p.agent != nil {
		// Lines are its own, and come when it goes on.
		p.agent.Continue()
	}
	for deadline := time.Now().Add(patience / 4); ; pause() {
		lines := p.linesOf(or(r.Path, "/"))
		if len(lines) < answers && time.Now().Before(deadline) {
			continue
		}
		if len(lines) != answers {
			j.addf("the access log has %d lines, want %d", len(lines), answers)
		}
		for _, line := range lines {
			if line.Tries != j.want.Tries {
				j.addf("a request took %d tries, want %d", line.Tries, j.want.Tries)
			}
		}
		return
	}
}

func (p *play) linesOf(path string) []logged {
	texts, _ := p.proxy.AccessLog(p.logged)
	var lines []logged
	for text := range strings.SplitSeq(strings.Join(texts, "\n"), "\n") {
		var line logged
		if json.Unmarshal([]byte(text), &line) == nil && line.Path == path {
			lines = append(lines, line)
		}
	}
	return lines
}
