package gatewayapi

import (
	"fmt"

	"github.com/sluice-gateway/sluice/operator/findings"
)

// notes gathers findings in the order in which they are made, each once.
type notes struct {
	found []findings.Finding
}

// add takes down a fact about a field. The message begins with the field, so
// that it can be read on its own.
func (n *notes) add(code findings.Code, field, format string, args ...any) {
	n.put(newFinding(code, field, format, args...))
}

func (n *notes) put(found ...findings.Finding) {
	for _, f := range found {
		if !contains(n.found, f) {
			n.found = append(n.found, f)
		}
	}
}

func contains(found []findings.Finding, f findings.Finding) bool {
	for i := range found {
		if found[i] == f {
			return true
		}
	}
	return false
}

func newFinding(code findings.Code, field, format string, args ...any) findings.Finding {
	message := fmt.Sprintf(format, args...)
	if field != "" {
		message = field + ": " + message
	}
	return findings.Finding{Code: code, Field: field, Message: message}
}

// item is the path of one element of a list.
func item(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }
