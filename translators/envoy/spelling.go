package envoy

import (
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
)

// spellings are the other forms in which Envoy lets a path in that package
// requestpath would have brought into the form of a rule: with escapes in lower
// case, with plain brackets, and "//" for the root. The script at the door refuses
// those that mix two, and brings the others into that form before a backend sees
// them.
func spellings(p spot) []string {
	if p.path == "/" && p.kind == ir.Exact {
		return []string{"///"}
	}
	if strings.IndexByte(p.path, '%') < 0 {
		return nil
	}
	plain := brackets.Replace(p.path)
	all := []string{p.path}
	for _, other := range []string{lowerEscapes(p.path), plain, lowerEscapes(plain)} {
		if !slices.Contains(all, other) {
			all = append(all, other)
		}
	}
	for i := range all {
		all[i] = spot{p.kind, all[i]}.text()
	}
	return all[1:]
}

var brackets = strings.NewReplacer("%5B", "[", "%5D", "]")

// lowerEscapes writes the digits of escapes in lower case.
func lowerEscapes(path string) string {
	b := []byte(path)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:], strings.ToLower(path[i+1:i+3]))
		}
	}
	return string(b)
}
