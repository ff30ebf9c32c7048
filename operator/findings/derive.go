package findings

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Most of a condition's message is for people: what is beyond this many facts
// is counted, not listed.
const mostMessages = 8

// maxMessage is the longest message that the CRDs allow, in bytes.
const maxMessage = 32768

// Derive returns a subject's conditions: the healthy form, turned by the worst
// of its findings. It is the only maker of conditions. LastTransitionTime stays
// zero, as only who writes a status knows what was there before.
func Derive(subject *Subject, generation int64) []metav1.Condition {
	turned := map[string]*worst{}
	for i := range subject.Findings {
		f := &subject.Findings[i]
		for _, e := range effects[f.Code] {
			if subject.Kind == GatewayClass && e.Condition == programmed {
				// No proxy runs a class.
				continue
			}
			if turned[e.Condition] == nil {
				turned[e.Condition] = &worst{}
			}
			turned[e.Condition].add(e, f.Message)
		}
	}
	var conditions []metav1.Condition
	for _, c := range healthy[subject.Kind] {
		if turned[c.Type] == nil {
			conditions = append(conditions, c)
		}
	}
	for name, w := range turned {
		conditions = append(conditions, w.condition(name))
	}
	for i := range conditions {
		conditions[i].ObservedGeneration = generation
	}
	slices.SortFunc(conditions, func(a, b metav1.Condition) int { return strings.Compare(a.Type, b.Type) })
	return conditions
}

// Turns reports whether any of the findings gives a condition the status.
func Turns(found []Finding, condition string, status metav1.ConditionStatus) bool {
	for i := range found {
		for _, e := range effects[found[i].Code] {
			if e.Condition == condition && e.Status == status {
				return true
			}
		}
	}
	return false
}

// worst gathers what the facts of the highest rank say about one condition.
type worst struct {
	effect   Effect
	messages []string
}

func (w *worst) add(e Effect, message string) {
	if len(w.messages) > 0 && e.Rank < w.effect.Rank {
		return
	}
	if e.Rank > w.effect.Rank || len(w.messages) == 0 {
		w.effect, w.messages = e, nil
	}
	if !slices.Contains(w.messages, message) {
		w.messages = append(w.messages, message)
	}
}

func (w *worst) condition(name string) metav1.Condition {
	return metav1.Condition{
		Type:    name,
		Status:  w.effect.Status,
		Reason:  w.effect.Reason,
		Message: joined(w.messages),
	}
}

// joined puts messages into one that reads: one a line of thought, the rest
// counted.
func joined(messages []string) string {
	listed := messages
	if len(listed) > mostMessages {
		listed = listed[:mostMessages]
	}
	text := strings.Join(listed, "; ")
	if more := len(messages) - len(listed); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage-3], "") + "..."
	}
	return text
}

var effects = func() map[Code][]Effect {
	byCode := make(map[Code][]Effect, len(table))
	for _, row := range table {
		byCode[row.Code] = row.Effects
	}
	return byCode
}()

// healthy is what each kind of subject has while nothing is wrong with it.
// Conditions whose good state is False are absent.
var healthy = map[SubjectKind][]metav1.Condition{
	GatewayClass: {
		good(accepted, "Accepted", "The class is served by this controller"),
		good(supportedVersion, "SupportedVersion", "The CRDs of Gateway API are of a version that is supported"),
	},
	Gateway:       {good(accepted, "Accepted", "The Gateway is valid"), goodProgrammed, goodRefs},
	Listener:      {good(accepted, "Accepted", "The listener is valid"), goodProgrammed, goodRefs, noConflicts},
	ListenerEntry: {good(accepted, "Accepted", "The listener is valid"), goodProgrammed, goodRefs, noConflicts},
	ListenerSet:   {good(accepted, "Accepted", "The ListenerSet is attached to its Gateway"), goodProgrammed},
	Route:         {good(accepted, "Accepted", "The route is attached"), goodRefs},
	Policy:        {good(accepted, "Accepted", "The policy is in force"), goodRefs},
}

var (
	goodProgrammed = good(programmed, "Programmed", "The proxy runs this generation")
	goodRefs       = good(resolvedRefs, "ResolvedRefs", "All references are resolved")
	noConflicts    = metav1.Condition{Type: conflicted, Status: no, Reason: "NoConflicts", Message: "No other listener conflicts"}
)

func good(condition, reason, message string) metav1.Condition {
	return metav1.Condition{Type: condition, Status: yes, Reason: reason, Message: message}
}
