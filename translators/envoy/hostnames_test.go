package envoy

import "testing"

// What a client sends as its host is looked up for the access log, whatever it is.
func TestHostsOfClientsHaveOwners(t *testing.T) {
	h := newHostnames[string](0)
	for _, hostname := range []string{"*", "*.a.example", "b.example"} {
		h.put(hostname, hostname)
	}
	for host, want := range map[string]string{
		"": "*", ".": "*", "..": "*", "**": "*", "a": "*", ".a.example": "*", "x.a.example": "*.a.example", "b.example": "b.example",
	} {
		got, ok := h.at(host)
		if !ok {
			got, _ = h.nearest(host)
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", host, got, want)
		}
	}
}
