package filter

import (
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/requestpath"
)

// pathEdit is a compiled ir.PathEdit. Values are in normal form, so that what a
// rule writes is as unambiguous as what a client sent.
type pathEdit struct {
	full bool
	// value of a prefix has no trailing slash; it may be empty.
	value string
}

// compilePath returns nil for no edit.
func compilePath(spec *ir.PathEdit) (*pathEdit, error) {
	switch {
	case spec == nil:
		return nil, nil
	case spec.Full != nil:
		value, err := rooted(*spec.Full)
		if err != nil {
			return nil, fmt.Errorf("path.full: %q: %w", *spec.Full, err)
		}
		return &pathEdit{full: true, value: value}, nil
	case spec.Prefix != nil:
		value, err := rooted(*spec.Prefix)
		if err != nil {
			return nil, fmt.Errorf("path.prefix: %q: %w", *spec.Prefix, err)
		}
		return &pathEdit{value: strings.TrimSuffix(value, "/")}, nil
	default:
		return nil, fmt.Errorf("path: neither full nor prefix is set")
	}
}

// rooted normalises a path that may lack its leading slash.
func rooted(path string) (string, error) {
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return requestpath.Normalise(path)
}

// apply returns the edited path. Replacing a prefix works on whole segments, as
// the table in HTTPPathModifier.replacePrefixMatch has it; where the match was
// no prefix match, there is nothing to replace.
func (e *pathEdit) apply(path, prefix string) string {
	if e.full {
		return e.value
	}
	if prefix == "" || !strings.HasPrefix(path, prefix) {
		return path
	}
	rest := path[len(strings.TrimSuffix(prefix, "/")):]
	switch {
	case e.value == "" && rest == "":
		return "/"
	case e.value == "":
		return rest
	case rest == "":
		return e.value
	default:
		return e.value + rest
	}
}
