package plan

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckRefusesWhatCannotBe(t *testing.T) {
	good := Plan{Dir: "/somewhere", Nodes: 1}
	for name, c := range map[string]struct {
		change func(*Plan)
		want   string
	}{
		"as asked":       {func(*Plan) {}, ""},
		"no nodes":       {func(p *Plan) { p.Nodes = 0 }, ""},
		"too many nodes": {func(p *Plan) { p.Nodes = 4 }, "0 (control plane only) to 3"},
		"negative":       {func(p *Plan) { p.Nodes = -1 }, "a cluster of -1 nodes"},
		"relative":       {func(p *Plan) { p.Dir = "x" }, "give an absolute one"},
	} {
		t.Run(name, func(t *testing.T) {
			p := good
			c.change(&p)
			err := p.Check()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// What overlaps would be routed to two places.
func TestNoTwoRangesOverlap(t *testing.T) {
	p := Plan{Nodes: MaxNodes, DualStack: true}
	ranges := append(p.Routed(), p.Host()...)
	for i := 1; i <= MaxNodes; i++ {
		ranges = append(ranges, p.NodePods(i)...)
	}
	for i, a := range ranges {
		for _, b := range ranges[i+1:] {
			if a.Overlaps(b) {
				t.Errorf("%s and %s overlap", a, b)
			}
		}
	}
}

func TestEveryAddressIsInItsRange(t *testing.T) {
	p := Plan{Nodes: MaxNodes, DualStack: true}
	for i := 1; i <= MaxNodes; i++ {
		for family := range 2 {
			if host := p.Host()[family].Masked(); !host.Contains(p.Node(i)[family].Addr()) {
				t.Errorf("node %d has %s outside of %s", i, p.Node(i)[family], host)
			}
			if pods := p.Pods()[family]; !pods.Contains(p.NodePods(i)[family].Addr()) {
				t.Errorf("pods of node %d have %s outside of %s", i, p.NodePods(i)[family], pods)
			}
		}
	}
	for family, ip := range p.DNS() {
		if !p.Services()[family].Contains(ip) {
			t.Errorf("DNS has %s outside of %s", ip, p.Services()[family])
		}
	}
}

func TestOneFamilyUnlessAskedForTwo(t *testing.T) {
	for _, ranges := range [][]netip.Prefix{Plan{}.Host(), Plan{}.Pods(), Plan{}.Services(), Plan{}.LoadBalancers(), Plan{}.Static(), Plan{}.Node(1), Plan{}.NodePods(1)} {
		if len(ranges) != 1 || !ranges[0].Addr().Is4() {
			t.Errorf("got %v, want IPv4 alone", ranges)
		}
	}
}

func TestRangeLeavesTheFirstOut(t *testing.T) {
	for prefix, want := range map[string]string{
		"10.97.0.0/24":         "10.97.0.1-10.97.0.255",
		"10.97.1.16/28":        "10.97.1.17-10.97.1.31",
		"fd53:1ce:0:97::/120":  "fd53:1ce:0:97::1-fd53:1ce:0:97::ff",
		"fd53:1ce:0:98::5/124": "fd53:1ce:0:98::1-fd53:1ce:0:98::f",
	} {
		if got := Range(netip.MustParsePrefix(prefix)); got != want {
			t.Errorf("%s: got %s, want %s", prefix, got, want)
		}
	}
}

func TestNamesOfLinksFitTheKernel(t *testing.T) {
	if const15 := Link(MaxNodes); len(const15) > 15 {
		t.Errorf("%s is longer than 15 octets", const15)
	}
}

func TestReadGivesWhatWasWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plan.json")
	want := Plan{Dir: "/d", Bin: "/b", Images: "/i", CRDs: "/c", Nodes: 2, DualStack: true, Attached: true}
	if err := want.Write(file); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(file); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}
