package editing

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/requestpath"
)

// Path is an ir.PathEdit in normal form, so that what a rule writes is as
// unambiguous as what a client sent.
type Path struct {
	// Full is true where the whole path is replaced, and not a prefix.
	Full bool
	// Value of a prefix has no trailing slash; it may be empty.
	Value string
}

// ReadPath returns nil for no edit.
func ReadPath(spec *ir.PathEdit) (*Path, error) {
	switch {
	case spec == nil:
		return nil, nil
	case spec.Full != nil:
		value, err := Rooted(*spec.Full)
		if err != nil {
			return nil, fmt.Errorf("path.full: %q: %w", *spec.Full, err)
		}
		return &Path{Full: true, Value: value}, nil
	case spec.Prefix != nil:
		value, err := Rooted(*spec.Prefix)
		if err != nil {
			return nil, fmt.Errorf("path.prefix: %q: %w", *spec.Prefix, err)
		}
		return &Path{Value: strings.TrimSuffix(value, "/")}, nil
	default:
		return nil, errors.New("path: neither full nor prefix is set")
	}
}

// Rooted normalises a path that may lack its leading slash.
func Rooted(path string) (string, error) {
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return requestpath.Normalise(path)
}

// Apply returns the edited path. Replacing a prefix works on whole segments, as
// the table in HTTPPathModifier.replacePrefixMatch has it; where the match was
// no prefix match, there is nothing to replace.
func (e *Path) Apply(path, prefix string) string {
	if e.Full {
		return e.Value
	}
	if prefix == "" || !strings.HasPrefix(path, prefix) {
		return path
	}
	rest := path[len(strings.TrimSuffix(prefix, "/")):]
	switch {
	case e.Value == "" && rest == "":
		return "/"
	case e.Value == "":
		return rest
	case rest == "":
		return e.Value
	default:
		return e.Value + rest
	}
}
