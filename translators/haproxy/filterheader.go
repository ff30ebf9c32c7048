package haproxy

import (
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/editing"
)

// addRequestHeaders edits requests. What a rule sets or removes does not stay in
// another spelling: there are backends that take those for the same.
func (w *walk) addRequestHeaders(edit *ir.HeaderEdit) error {
	if err := editing.Check(edit); err != nil {
		return fmt.Errorf("requestHeaders: %w", err)
	}
	for _, name := range edit.Remove {
		w.down(dropSpellings(name)...)
	}
	for _, f := range edit.Set {
		w.down(dropSpellings(f.Name)...)
	}
	w.down(edits("http-request", &ir.HeaderEdit{Set: edit.Set, Add: edit.Add})...)
	return nil
}

// addResponseHeaders edits answers, those of the proxy's own too.
func (w *walk) addResponseHeaders(edit *ir.HeaderEdit) error {
	if err := editing.Check(edit); err != nil {
		return fmt.Errorf("responseHeaders: %w", err)
	}
	w.up(edits("http-after-response", edit)...)
	return nil
}

func edits(way string, edit *ir.HeaderEdit) []string {
	var all []string
	for _, name := range edit.Remove {
		all = append(all, way+" del-header "+quote(name))
	}
	for _, f := range edit.Set {
		all = append(all, way+" set-header "+quote(f.Name)+" "+format(f.Value))
	}
	for _, f := range edit.Add {
		all = append(all, way+" add-header "+quote(f.Name)+" "+format(f.Value))
	}
	return all
}

// dropSpellings drops a name, and all that those who write "_" or "." for "-"
// cannot tell from it. HAProxy has all names in lower case.
func dropSpellings(name string) []string {
	drop := "http-request del-header " + quote(name)
	if !strings.ContainsAny(name, "-_.") {
		return []string{drop}
	}
	var pattern strings.Builder
	for i := range len(name) {
		switch c := lower(name[i]); {
		case c == '-' || c == '_' || c == '.':
			pattern.WriteString("[-_.]")
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			pattern.WriteByte(c)
		default:
			pattern.WriteString(`\` + string(c))
		}
	}
	return []string{drop, "http-request del-header " + quote("^"+pattern.String()+"$") + " -m reg"}
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
