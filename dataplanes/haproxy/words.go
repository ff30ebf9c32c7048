package haproxy

import (
	"regexp"
	"strings"
)

var (
	// alert is a line of HAProxy's about what is wrong: "[ALERT]    (344) : config : ...".
	alert = regexp.MustCompile(`^\[ALERT\]\s*(?:\(\d+\)\s*)?:\s*(?:config\s*:\s*)?`)
	// place is where in the files something is.
	place = regexp.MustCompile(`(?:parsing )?\[[^\]\s]*:\d+\](?:\s*:)?\s*`)
	// pemBlock is a block of PEM, which may hold a key, or what is left of one.
	pemBlock = regexp.MustCompile(`-----BEGIN [^-]*-----(?s:.*?)(-----END [^-]*-----|$)`)
	// coded is a run of what looks like a key in BASE64.
	coded = regexp.MustCompile(`[A-Za-z0-9+/=_-]{64,}`)
	space = regexp.MustCompile(`\s+`)
)

// longestWords bounds what of HAProxy's words goes into a status.
const longestWords = 400

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
	message = pemBlock.ReplaceAllString(message, "[redacted]")
	message = coded.ReplaceAllString(message, "[redacted]")
	message = place.ReplaceAllString(message, "")
	message = strings.Trim(space.ReplaceAllString(message, " "), " ,.:")
	if message == "" {
		return "it gives no reason"
	}
	if len(message) > longestWords {
		message = strings.ToValidUTF8(message[:longestWords], "") + "..."
	}
	return message
}

// objection is what is said of an element that HAProxy refuses.
func objection(message string) string { return "HAProxy refuses it: " + clean(message) }
