package haproxy

import (
	"regexp"
	"strings"

	"github.com/sluice-gateway/sluice/dataplanes/agent/verdict"
)

var (
	// alert is a line of HAProxy's about what is wrong: "[ALERT]    (344) : config : ...".
	alert = regexp.MustCompile(`^\[ALERT\]\s*(?:\(\d+\)\s*)?:\s*(?:config\s*:\s*)?`)
	// place is where in the files something is.
	place = regexp.MustCompile(`(?:parsing )?\[[^\]\s]*:\d+\](?:\s*:)?\s*`)
)

// alerts are what HAProxy says is wrong, without the lines that only count them.
func alerts(said string) []string {
	var all []string
	for line := range strings.Lines(said) {
		at := alert.FindString(line)
		if at == "" {
			continue
		}
		line = strings.TrimSpace(line[len(at):])
		if !strings.HasPrefix(line, "Error(s) found in") && !strings.HasPrefix(line, "Fatal errors found in") {
			all = append(all, line)
		}
	}
	return all
}

// clean returns HAProxy's words for people: without secrets, and without where in
// files that nobody sees.
func clean(message string) string {
	return verdict.Brief(place.ReplaceAllString(verdict.Redact(message), ""), "it gives no reason")
}

// objection is what is said of an element that HAProxy refuses.
func objection(message string) string { return "HAProxy refuses it: " + clean(message) }
