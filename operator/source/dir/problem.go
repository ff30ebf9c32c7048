package dir

import (
	"fmt"

	"github.com/sluice-gateway/sluice/operator/resources"
)

// Place is a place in a file. Line and Column count from 1; 0 is unknown.
type Place struct {
	File   string
	Line   int
	Column int
}

// String is "file:line:column", as editors and terminals understand it.
func (p Place) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
}

// Problem is what is wrong with a file or an object in it.
type Problem struct {
	Place Place
	// Object is zero where the text does not say which object it is.
	Object resources.Key
	// Field is empty where no one field is to blame.
	Field   string
	Message string
	// Note marks what is worth knowing and no error.
	Note bool
	// Kept is true where the object goes on in its last good state.
	Kept bool
}

// String is one line: place, object, field and message.
func (p Problem) String() string {
	s := p.Place.String() + ": "
	if p.Object.Name != "" {
		s += p.Object.String() + ": "
	}
	if p.Field != "" {
		s += p.Field + ": "
	}
	s += p.Message
	if p.Kept {
		s += " (its last good state stays in force)"
	}
	return s
}
