package record

import (
	"encoding/json"
	"strings"
	"testing"

	envoy "github.com/sluice-gateway/sluice/translators/envoy"
)

// written is a line as Envoy writes it: fields that are not given are null.
func written(t testing.TB, fields map[envoy.LogField]any) string {
	t.Helper()
	list := make([]any, envoy.LogFields)
	for at, v := range fields {
		list[at] = v
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(map[string]any{envoy.LogKey: list}); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func TestLinesAreRead(t *testing.T) {
	var l line
	if !l.parse(written(t, map[envoy.LogField]any{
		envoy.LogHost: "a\"b\\c\td", envoy.LogPath: "/grün", envoy.LogStatus: 200, envoy.LogSaid: "",
	})) {
		t.Fatal("it is not taken for a line")
	}
	if l[envoy.LogHost] != "a\"b\\c\td" || l[envoy.LogPath] != "/grün" || l[envoy.LogStatus] != "200" || l[envoy.LogClient] != "" {
		t.Fatalf("have %q", l)
	}
}

func TestWhatIsNoLineIsNone(t *testing.T) {
	good := written(t, nil)
	for _, text := range []string{
		"", "x", "{}", good[:len(good)-1], good + " ", good + good, strings.Replace(good, "null", "", 1),
		strings.Replace(good, "null,", "", 1), strings.Replace(good, "null", `"`, 1), strings.Replace(good, "null", `"\`, 1),
		strings.Replace(good, "null", `"\u00`, 1), strings.Replace(good, "]", ",null]", 1),
	} {
		if new(line).parse(text) {
			t.Errorf("%q is taken for a line", text)
		}
	}
}

func FuzzLine(f *testing.F) {
	for _, text := range []string{"", "plain", "a\"}\n{\"l\":[", "\x00\x1f\x7f", "gr\u00fc\u00dfe\u2028", "\\u0041", "]}", ",null"} {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, host, path string) {
		new(line).parse(host)
		new(line).parse(opening + host)
		if strings.ToValidUTF8(host, "") != host || strings.ToValidUTF8(path, "") != path {
			return
		}
		var l line
		text := written(t, map[envoy.LogField]any{envoy.LogHost: host, envoy.LogPath: path, envoy.LogStatus: 404})
		if strings.Contains(text, `\u2028`) || strings.Contains(text, `\u2029`) {
			// The encoder of this test escapes two characters that Envoy does not.
			return
		}
		if !l.parse(text) || l[envoy.LogHost] != host || l[envoy.LogPath] != path || l[envoy.LogStatus] != "404" {
			t.Fatalf("%s: have %q", text, l)
		}
	})
}
