package requestpath

import "strings"

// resolve takes dot segments out of a decoded path, then merges slashes. An
// empty segment counts as one while dots are resolved, as RFC 3986 and Envoy
// have it: "/a//../b" is "/a/b".
func resolve(path string) (string, error) {
	if strings.Count(path, "/") == 1 && !strings.HasPrefix(path, "/.") && !strings.Contains(path, "%") {
		return path, nil
	}
	segments := strings.Split(path[1:], "/")
	out := segments[:0]
	for i, segment := range segments {
		last := i == len(segments)-1
		switch {
		case dotParameter(segment):
			return "", ErrDotParameter
		case hiddenDots(segment):
			return "", ErrEncoded
		case segment == "." || segment == "..":
			if segment == ".." && len(out) > 0 {
				out = out[:len(out)-1]
			}
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, segment)
		}
	}
	return join(out), nil
}

// dotParameter reports whether a segment is a dot segment once its parameters
// are taken off: "..;x", or ".%3Bx" for those who decode first.
func dotParameter(segment string) bool {
	rest := strings.TrimPrefix(strings.TrimPrefix(segment, "."), ".")
	if len(rest) == len(segment) {
		return false
	}
	return strings.HasPrefix(rest, ";") || strings.HasPrefix(rest, "%3B")
}

// hiddenDots reports whether a segment holds a dot segment for those who decode
// the slashes that were kept in it: "..%2Fadmin".
func hiddenDots(segment string) bool {
	if !strings.Contains(segment, "%2F") && !strings.Contains(segment, "%5C") {
		return false
	}
	for part := range strings.SplitSeq(strings.ReplaceAll(segment, "%5C", "%2F"), "%2F") {
		if part == "." || part == ".." || dotParameter(part) {
			return true
		}
	}
	return false
}

// join writes segments as a path, each pair with one slash in between.
func join(segments []string) string {
	var b strings.Builder
	for i, segment := range segments {
		if segment != "" {
			b.WriteByte('/')
			b.WriteString(segment)
			continue
		}
		if i == len(segments)-1 {
			b.WriteByte('/')
		}
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}
