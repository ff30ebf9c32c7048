package terminal

import (
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/operator/findings"
)

// summaries are findings that only say to look at what else is wrong.
var summaries = []findings.Code{
	findings.NoValidListeners, findings.NoLiveListeners, findings.ListenersNotResolved, findings.ListenerSetNoneValid,
	findings.NoUsableCertificate,
}

// lines are what a person reads of an object's troubles: one fact turns several
// conditions, and is told once.
func lines(troubles []trouble) []line {
	var list []line
	for _, t := range troubles {
		if !explained(t, troubles) {
			list = gather(list, t)
		}
	}
	return seenOnce(joined(list))
}

// explained reports whether a trouble only sums up what others say better: the
// Gateway's what is wrong with its listeners, or a listener that waits what is
// wrong with the Gateway.
func explained(t trouble, by []trouble) bool {
	waits := t.listener && t.mark == waiting
	return (t.summary || waits) && slices.ContainsFunc(by, func(other trouble) bool {
		switch {
		case other.summary || other.mark != bad:
			return false
		case waits:
			return other.subject == ""
		default:
			return other.subject == t.subject || other.listener && !t.listener
		}
	})
}

// gather adds a trouble to the line that says the same of the same subject.
func gather(list []line, t trouble) []line {
	verdict := t.condition + ": " + t.reason
	for i := range list {
		if l := &list[i]; l.subjects[0] == t.subject && l.message == t.message && l.mark == t.mark {
			if !slices.Contains(l.verdicts, verdict) {
				l.verdicts = append(l.verdicts, verdict)
			}
			l.places = append(l.places, t.places...)
			return list
		}
	}
	return append(list, line{subjects: []string{t.subject}, verdicts: []string{verdict}, message: t.message, places: slices.Clone(t.places), mark: t.mark})
}

// line is one trouble as it is shown.
type line struct {
	subjects []string
	verdicts []string
	message  string
	places   []string
	mark     mark
}

func (l *line) head() string {
	head := strings.Join(l.verdicts, ", ")
	if l.subjects[0] != "" {
		head = strings.Join(l.subjects, " and ") + ", " + head
	}
	return head
}

// joined makes one line of those that say the same about several listeners or
// parents; what is said of the object holds for all of them.
func joined(list []line) []line {
	var out []line
	for _, l := range list {
		same := slices.IndexFunc(out, func(o line) bool {
			return o.message == l.message && o.mark == l.mark && slices.Equal(o.verdicts, l.verdicts)
		})
		switch {
		case same < 0:
			out = append(out, l)
		case out[same].subjects[0] != "":
			out[same].subjects = append(out[same].subjects, l.subjects...)
			out[same].places = append(out[same].places, l.places...)
		}
	}
	return out
}

// seenOnce leaves each line of a file where it is named first.
func seenOnce(list []line) []line {
	seen := map[string]bool{}
	for i := range list {
		list[i].places = slices.DeleteFunc(list[i].places, func(at string) bool {
			key := withoutColumn(at)
			was := seen[key]
			seen[key] = true
			return was
		})
	}
	return list
}

// withoutColumn takes the column from "file:line:column".
func withoutColumn(at string) string {
	if strings.Count(at, ":") < 2 {
		return at
	}
	return at[:strings.LastIndex(at, ":")]
}
