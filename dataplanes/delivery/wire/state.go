package wire

import (
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
)

// Check says what is wrong with a state that someone else has made. What a pod
// says of itself is kept for as long as the pod is there, and compared with what
// others say.
func (s *State) Check() error {
	for _, list := range [][]ir.Problem{s.Problems, s.Objections} {
		if len(list) > MaxProblems {
			return fmt.Errorf("%d problems: at most %d are taken", len(list), MaxProblems)
		}
		for i := range list {
			if o := &list[i].Origin; len(list[i].Message)+len(o.Kind)+len(o.Namespace)+len(o.Name)+len(o.Section) > 2*MaxText {
				return fmt.Errorf("problem %d is over the bound of %d bytes", i, 2*MaxText)
			}
		}
	}
	if len(s.Version) > MaxText {
		return fmt.Errorf("a version of %d bytes: at most %d are taken", len(s.Version), MaxText)
	}
	return nil
}

// Bounded returns problems that pass Check. Where there are too many, the last one
// says so, of the owner.
func Bounded(problems []ir.Problem, owner ir.Object) []ir.Problem {
	kept := append([]ir.Problem(nil), problems[:min(len(problems), MaxProblems)]...)
	if more := len(problems) - len(kept); more > 0 {
		kept[MaxProblems-1] = ir.Problem{Origin: ir.Origin{Object: owner}, Message: fmt.Sprintf("There are %d problems more", more+1)}
	}
	for i := range kept {
		kept[i].Message = Brief(kept[i].Message)
	}
	return kept
}

// Brief cuts a text that the other side may have made.
func Brief(text string) string {
	if len(text) <= MaxText {
		return text
	}
	return strings.ToValidUTF8(text[:MaxText-3], "") + "..."
}
