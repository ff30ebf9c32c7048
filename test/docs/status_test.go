package docs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/operator/findings"
)

const statusPage = "../../docs/status.md"

// What a fact does follows from the table of findings. What it means to the
// object's author, in the last column, is written by people and kept.
func TestStatusPageListsEveryFinding(t *testing.T) {
	meanings := lastCells(generated(t, statusPage))
	page := table{head: []string{"finding", "on", "turns", "what it means, and what to do"}}
	for _, row := range findings.Table() {
		meaning := meanings[string(row.Code)]
		if meaning == "" {
			t.Errorf("docs/status.md does not say what the finding %s means to an object's author: write it into the last column", row.Code)
		}
		page.rows = append(page.rows, []string{string(row.Code), subjects(row.Subjects), effects(row.Effects), meaning})
	}
	hold(t, statusPage, page.String())
}

// lastCells returns each row's last cell by its first one.
func lastCells(rows string) map[string]string {
	cells := map[string]string{}
	for row := range strings.Lines(rows) {
		parts := strings.Split(strings.Trim(row, "|\n"), " | ")
		if len(parts) == 4 {
			cells[strings.TrimSpace(parts[0])] = strings.TrimSpace(parts[3])
		}
	}
	return cells
}

func subjects(kinds []findings.SubjectKind) string {
	var names []string
	for _, k := range kinds {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

func effects(list []findings.Effect) string {
	var turns []string
	for _, e := range list {
		turns = append(turns, fmt.Sprintf("%s=%s/%s", e.Condition, e.Status, e.Reason))
	}
	return strings.Join(turns, ", ")
}
