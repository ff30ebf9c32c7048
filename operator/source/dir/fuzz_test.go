package dir

import (
	"strings"
	"testing"
)

// FuzzSource: whatever bytes a file holds, reading it ends, and every error
// names a line that the file has.
func FuzzSource(f *testing.F) {
	for _, seed := range []string{
		goodRoute, goodRoute + "---\n" + goodRoute, "---\n---", "a: [", "\t", "a: &a [*a]", "<<: {a: b}\na: c",
		`{"apiVersion":"v1","kind":"List","items":[{"kind":"Service"},3]}`, "...\n%YAML 1.1\n---\nkind: x", "\xef\xbb\xbfa: 1", "a: !!binary x", "? [a]\n: b",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {a: b}\n", "a: .inf\nb: 99999999999999999999\nc: 0x1F\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		lines := strings.Count(string(data), "\n") + 1
		r := &reading{unsure: map[string]bool{}, unread: map[string]bool{}}
		for _, c := range split(data) {
			for _, d := range parse(catalog(), c.text) {
				r.add(found{document: d, path: "f", line: c.line})
			}
		}
		after, problems := merge(state{}, r)
		for _, p := range problems {
			if p.Place.Line < 1 || p.Place.Line > lines || p.Place.Column < 1 {
				t.Errorf("%s: the file has %d lines", p, lines)
			}
		}
		for key, h := range after {
			if key.Name == "" || h.object == nil || h.object.GetName() != key.Name || h.object.GetNamespace() != key.Namespace {
				t.Errorf("%v holds %v", key, h.object)
			}
		}
	})
}
