package envoy

import (
	"regexp"
	"testing"
)

// TestScriptsTakeTheTimeOfTheirInput: Lua's patterns try everything again from each
// place that a repetition could end at. Behind another repetition, or without an
// anchor, one field of 60 KiB keeps a thread of Envoy's, and all of its clients,
// waiting for seconds.
func TestScriptsTakeTheTimeOfTheirInput(t *testing.T) {
	slow := regexp.MustCompile(`[*+-]\(\.-\)|"[^"^][^"]*\[\^[^"]*\][*+-]\$"`)
	for name, text := range map[string]string{
		"redirect": redirectScript, "cors": corsScript, "copied": copiedScript, "door": doorScript, "hop": hopScript, "session": sessionScript,
	} {
		for _, found := range slow.FindAllString(text, -1) {
			t.Errorf("%s.lua: %q takes the square of what it is given", name, found)
		}
	}
	for _, bad := range []string{`"^%s*(.-)%s*$"`, `'^"*(.-)"*$'`, `"%[[^%]]*$"`} {
		if !slow.MatchString(bad) {
			t.Errorf("%s is not found", bad)
		}
	}
}
