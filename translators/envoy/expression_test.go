package envoy

import (
	"regexp"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
)

// The expression of the header fits a path and a slash exactly where the author's
// fits the path.
func TestAnchorsOfTheEnd(t *testing.T) {
	paths := []string{"/", "/a", "/a/", "/ab", "/a/b", "/b", "/a$", "/a\n"}
	for _, pattern := range []string{
		"/a", "/a$", "^/a$", `/a\z`, "/a($|/b)", "(/a$|/b)", "/a(b$)?", "(?m)/a$", "(?i)^/A$", "(?:/a$)", "(/a)$$", "/.*$", "/a[$]", `/a\$`, "/a($)($)", "/$",
	} {
		want := regexp.MustCompile(`\A(?:` + pattern + `)\z`)
		fitting, _, ok := pathPattern(pattern)
		if !ok {
			t.Fatalf("%q is taken for one that does not compile", pattern)
		}
		got := regexp.MustCompile(`\A(?:` + fitting + `)\z`)
		for _, path := range paths {
			if want.MatchString(path) != got.MatchString(path+"/") {
				t.Errorf("%q, written %q, and %q: want %v", pattern, fitting, path, want.MatchString(path))
			}
		}
		if err := ends("path", ir.ValueMatch{Kind: ir.Regex, Value: pattern}); err != nil {
			t.Error(err)
		}
	}
	for _, pattern := range []string{"/a$b*", "(/a$)+", "/a$(b|$)?c*"} {
		if ends("path", ir.ValueMatch{Kind: ir.Regex, Value: pattern}) == nil {
			t.Errorf("%q: no objection", pattern)
		}
	}
}
