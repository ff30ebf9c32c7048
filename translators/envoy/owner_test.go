package envoy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

func portOf(hostnames ...string) *order.Port {
	p := &order.Port{Port: 443, Protocol: ir.HTTPS}
	for _, h := range hostnames {
		l := &ir.Listener{Key: ir.ListenerKey{Section: h}, Port: 443, Protocol: ir.HTTPS, Hostname: h}
		p.Listeners = append(p.Listeners, &order.Listener{Listener: l})
	}
	return p
}

// TestForeignHostnamesAreAsFewAsCanBe for each listener of a port.
func TestForeignHostnamesAreAsFewAsCanBe(t *testing.T) {
	for hostnames, want := range map[string]map[string]string{
		"a":             {"a": ""},
		"a b":           {"a": "b", "b": "a"},
		"* a *.b c.b":   {"*": "*.b a", "a": "*", "*.b": "* c.b", "c.b": "*"},
		"*.b c.b d.c.b": {"*.b": "c.b d.c.b", "c.b": "*.b", "d.c.b": "*.b"},
		"*.b *.c.b x":   {"*.b": "x *.c.b", "*.c.b": "*.b x", "x": "*.b"},
	} {
		p := portOf(strings.Fields(hostnames)...)
		nesting := ownersOf(p).nesting()
		for _, l := range p.Requests() {
			if got := strings.Join(nesting.foreign(l), " "); got != want[l.Hostname] {
				t.Errorf("of %q, %s has %q, want %q", hostnames, l.Hostname, got, want[l.Hostname])
			}
		}
	}
}

// TestForeignHostnamesAreBound where a port has very many.
func TestForeignHostnamesAreBound(t *testing.T) {
	var hostnames []string
	for i := range 4 * mostForeign {
		hostnames = append(hostnames, fmt.Sprintf("h%d.example", i))
	}
	p := portOf(append(hostnames, "*.wild.org", "in.wild.org")...)
	nesting := ownersOf(p).nesting()
	for _, l := range p.Requests() {
		got := nesting.foreign(l)
		want := []string{order.AnyHost}
		if l.Hostname == "*.wild.org" {
			want = append(want, "in.wild.org")
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%s has %d, want %q", l.Hostname, len(got), want)
		}
	}
}
