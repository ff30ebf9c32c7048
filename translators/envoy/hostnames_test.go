package envoy

import "testing"

// A request's host is whatever its client sent.
func TestCoveringIsForHostsOfClients(t *testing.T) {
	h := newHostnames[string](0)
	for _, name := range []string{"a.example", "*.example", "*.b.example"} {
		h.put(name, name)
	}
	for host, want := range map[string]string{
		"":              "",
		"*":             "",
		".":             "",
		"*.":            "",
		"example":       "",
		".example":      "",
		"*.example":     "*.example",
		"a.example":     "a.example",
		"..example":     "*.example",
		"x.y.example":   "*.example",
		"x.b.example":   "*.b.example",
		"*.b.example":   "*.b.example",
		"b.example":     "*.example",
		"a.example.org": "",
	} {
		if got, ok := h.covering(host); got != want || ok != (want != "") {
			t.Errorf("%q: %q", host, got)
		}
	}
	h.put("*", "*")
	for _, host := range []string{"", "*", "example"} {
		if got, _ := h.covering(host); got != "*" {
			t.Errorf("with one for all, %q: %q", host, got)
		}
	}
}
