package node

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/test/cluster/plan"
)

func testMachine(dual bool) *machine {
	return &machine{plan: plan.Plan{Dir: "/state", Bin: "/bin dir", Nodes: 3, DualStack: dual}, index: 2, dir: "/state/node2"}
}

func TestAReaperTellsHowProgramsEnd(t *testing.T) {
	r := newReaper()
	result := make(chan error, 1)
	go func() { result <- r.run() }()
	if err := r.do("true"); err != nil {
		t.Error(err)
	}
	if err := r.do("sh", "-c", "exit 3"); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v", err)
	}
	if err := r.do("no-such-program"); err == nil || !strings.Contains(err.Error(), "was not built") {
		t.Errorf("got %v", err)
	}
	if err := r.start("sh", "-c", "kill -9 $$"); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err == nil || !strings.Contains(err.Error(), "sh ended: by killed") {
		t.Errorf("got %v", err)
	}
}

func TestTheFirstFailureCounts(t *testing.T) {
	r := newReaper()
	first := errors.New("first")
	r.fail(first)
	r.fail(errors.New("second"))
	if err := r.run(); !errors.Is(err, first) {
		t.Errorf("got %v", err)
	}
}

func TestANodeWithoutALinkEnds(t *testing.T) {
	if err := Run(plan.Plan{}, 1, strings.NewReader("")); err == nil || !strings.Contains(err.Error(), "nobody gave the node its link") {
		t.Errorf("got %v", err)
	}
}

func TestPodsHaveAnAddressOfEveryFamily(t *testing.T) {
	for dual, want := range map[bool]string{
		false: `[[{"subnet":"10.244.2.0/24"}]]`,
		true:  `[[{"subnet":"10.244.2.0/24"}],[{"subnet":"fd53:1ce:0:1002::/64"}]]`,
	} {
		bridge := testMachine(dual).pods()["plugins"].([]object)[0]
		got, err := json.Marshal(bridge["ipam"].(object)["ranges"])
		if err != nil || string(got) != want {
			t.Errorf("dual stack %v: got %s, %v", dual, got, err)
		}
	}
}

func TestRoutesLeadToTheOtherNodes(t *testing.T) {
	var got []string
	for _, arguments := range testMachine(true).others() {
		got = append(got, strings.Join(arguments, " "))
	}
	want := `route add 10.244.1.0/24 via 10.200.0.11 dev eth0
route add fd53:1ce:0:1001::/64 via fd53:1ce:0:200::11 dev eth0
route add 10.244.3.0/24 via 10.200.0.13 dev eth0
route add fd53:1ce:0:1003::/64 via fd53:1ce:0:200::13 dev eth0`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

func TestTextIsQuotedForTOML(t *testing.T) {
	m := testMachine(false)
	m.plan.Bin = `/a "b"\c`
	if got := m.containerd(); !strings.Contains(got, `bin_dirs = ["/a \"b\"\\c"]`) || !strings.Contains(got, `path = "/state/node2/opt"`) {
		t.Errorf("got\n%s", got)
	}
}
