package envoy

import (
	"maps"
	"strings"
	"testing"
)

// What Envoy says is told without what it was given, which may hold a key.
func TestClean(t *testing.T) {
	for _, c := range []struct{ said, want string }{
		{"pattern too large - compile failed", "pattern too large - compile failed"},
		{"Invalid duration: Duration out-of-range: goo.gle/debugonly    \nseconds: 9223372036\n", "Invalid duration: Duration out-of-range"},
		{"goo.gle/debugonly  \ninline_string: \"x\"\n: Proto constraint validation failed (SecretValidationError.A: embedded message failed validation | caused by B.C: value is required)", "B.C: value is required"},
		{"goo.gle/debugproto  \nname: \"a\"\n...(truncated)", "it does not hold to the constraints of its kind"},
		{"bad key " + strings.Repeat("QUJD", 20) + "!", "bad key [redacted]!"},
		{"Error adding/updating listener(s) tcp/80: no", "tcp/80: no"},
		{"", "it does not hold to the constraints of its kind"},
	} {
		if got := clean(c.said); got != c.want {
			t.Errorf("%q: got %q, want %q", c.said, got, c.want)
		}
	}
}

// A message is about the resources that it names, and about all that were sent
// where it names none.
func TestWordsBy(t *testing.T) {
	names := []string{"a/b/80", "a/b/8080", "c/d/80"}
	for _, c := range []struct {
		said string
		want map[string]string
	}{
		{"Error adding/updating cluster(s) a/b/8080: one, c/d/80: two: three", map[string]string{"a/b/8080": "one, ", "c/d/80": "two: three"}},
		{"Error adding/updating listener(s) a/b/80: one\nc/d/80: two", map[string]string{"a/b/80": "one\n", "c/d/80": "two"}},
		{"all is wrong", map[string]string{"a/b/80": "all is wrong", "a/b/8080": "all is wrong", "c/d/80": "all is wrong"}},
		{"xa/b/80: not it", map[string]string{"a/b/80": "xa/b/80: not it", "a/b/8080": "xa/b/80: not it", "c/d/80": "xa/b/80: not it"}},
	} {
		if got := wordsBy(c.said, names); !maps.Equal(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.said, got, c.want)
		}
	}
}
