package accesslog

import (
	"encoding/json"
	"testing"
	"time"
)

// FuzzLine holds a line against what encoding/json makes of its entry.
func FuzzLine(f *testing.F) {
	for _, text := range []string{"", "/plain", "a\"}\n{\\", "\x00\x1f\x7f\b\f\r\t", "\xff\xfe", "\u2028\u2029", "<&>", "gr\u00fc\u00dfe \U0001f600 \ufffd"} {
		f.Add(text, 200, int64(12))
	}
	f.Fuzz(func(t *testing.T, text string, number int, long int64) {
		e := &Entry{
			Time: time.Unix(long%1e9, long%1e9).UTC(), Client: text, Method: text, Host: text, Path: text, Protocol: text,
			Status: number, Bytes: long, Millis: long, Listener: text, Route: text, Backend: text, Endpoint: text,
			Tries: number, RequestID: text, UserAgent: text, Flags: text,
		}
		if number > 0 {
			e.Rule = &number
		}
		want, err := json.Marshal(e)
		if err != nil {
			t.Skip(err)
		}
		if got := string(appendLine(nil, e)); got != string(want)+"\n" {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}
