package envoy

import (
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/agent/verdict"
)

// wordsBy returns what a message says of each resource that it names, of those
// that were sent together; of all of them where it names none.
func wordsBy(message string, names []string) map[string]string {
	type place struct {
		at   int
		name string
	}
	var places []place
	for _, name := range names {
		if at := indexOfName(message, name); at >= 0 {
			places = append(places, place{at, name})
		}
	}
	slices.SortFunc(places, func(a, b place) int { return a.at - b.at })
	by := map[string]string{}
	for i, p := range places {
		end := len(message)
		if i+1 < len(places) {
			end = places[i+1].at
		}
		by[p.name] = message[p.at+len(p.name)+2 : end]
	}
	if len(by) == 0 {
		for _, name := range names {
			by[name] = message
		}
	}
	return by
}

// indexOfName returns where a message begins to speak of a resource: "name: ...",
// in a list.
func indexOfName(message, name string) int {
	for from := 0; ; {
		i := strings.Index(message[from:], name+": ")
		if i < 0 {
			return -1
		}
		if at := from + i; at == 0 || strings.ContainsRune(" \n", rune(message[at-1])) {
			return at
		}
		from += i + 1
	}
}

var (
	// dump is a message of protocol buffers, which Envoy shows as a whole.
	dump = regexp.MustCompile(`(?s)\s*:?\s*(goo\.gle/debug\S*|\{?\s*goo\.gle/debug).*$`)
	// noise are words about our ways of handing things over.
	noise = regexp.MustCompile(`^(Error adding/updating (listener|cluster)\(s\) |INVALID_ARGUMENT: |Proto constraint validation failed \()`)
)

// clean returns Envoy's words for people: without secrets, and without what only
// tells how it was asked.
func clean(message string) string {
	message = dump.ReplaceAllString(constraint(verdict.Redact(message)), "")
	message = noise.ReplaceAllString(strings.TrimSpace(message), "")
	return verdict.Brief(message, "it does not hold to the constraints of its kind")
}

// constraint returns what of a message behind a dump says which constraint did not
// hold; another message as it is.
func constraint(message string) string {
	const words, cause = "Proto constraint validation failed (", "caused by "
	i := strings.LastIndex(message, words)
	if i < 0 {
		return message
	}
	message = strings.TrimSuffix(strings.TrimSpace(message[i+len(words):]), ")")
	if i := strings.LastIndex(message, cause); i >= 0 {
		message = message[i+len(cause):]
	}
	return message
}

// objection is what is said of an element that Envoy refuses.
func objection(message string) string { return "Envoy refuses it: " + clean(message) }
