package order

import (
	"regexp"
	"regexp/syntax"
	"strings"
)

// Regexp compiles a pattern of the ir so that it must match the whole value.
// The pattern is parsed alone first: "a)|(b" would otherwise become valid by
// being put into a group.
func Regexp(pattern string) (*regexp.Regexp, error) {
	if _, err := syntax.Parse(pattern, syntax.Perl); err != nil {
		return nil, err
	}
	return regexp.Compile(`\A(?:` + pattern + `)\z`)
}

// Claims returns the paths that a path expression which does not compile keeps
// for its rule, so that they answer 500 instead of falling through to a wider
// rule: those that begin with its literal text up to its first special
// character. It is false where that says nothing (no text but "/", or an
// alternative), because claiming every path would let one bad object close a
// host that others share.
func Claims(pattern string) (prefix string, ok bool) {
	if strings.Contains(pattern, "|") {
		return "", false
	}
	pattern = strings.TrimPrefix(pattern, "^")
	end := strings.IndexAny(pattern, `\.+*?()[]{}^$`)
	if end < 0 {
		end = len(pattern)
	}
	if end < len(pattern) && end > 0 && strings.IndexByte("*?{", pattern[end]) >= 0 {
		end--
	}
	prefix = pattern[:end]
	if !strings.HasPrefix(prefix, "/") || len(prefix) == 1 {
		return "", false
	}
	return prefix, true
}
