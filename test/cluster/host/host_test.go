package host

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/test/cluster/plan"
)

func testProcesses(t *testing.T) *processes {
	t.Helper()
	p := plan.Plan{Dir: t.TempDir()}
	if err := os.MkdirAll(p.File("logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	return newProcesses(p)
}

func TestAProcessThatIsKilledIsNotLost(t *testing.T) {
	ps := testProcesses(t)
	pr, err := ps.start("cat", exec.Command("cat"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ps.start("cat", exec.Command("cat")); err == nil {
		t.Error("a second one of the same name was started")
	}
	if err := ps.kill("cat"); err != nil || pr.running() {
		t.Errorf("kill: %v, runs: %v", err, pr.running())
	}
	if err := ps.lost(); err != nil {
		t.Error(err)
	}
	if err := ps.kill("cat"); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if err := ps.kill("dog"); err == nil {
		t.Error("a process that never existed was killed")
	}
}

func TestAProcessThatEndsByItselfIsLost(t *testing.T) {
	ps := testProcesses(t)
	pr, err := ps.start("sh", exec.Command("sh", "-c", "echo its last words; exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	<-pr.ended
	if err := ps.lost(); err == nil || !strings.Contains(err.Error(), "sh ended by itself: exit status 3") || !strings.Contains(err.Error(), "its last words") {
		t.Errorf("got %v", err)
	}
}

// A program's standard input is open until it is ended: a node ends with it.
func TestStandardInputStaysOpen(t *testing.T) {
	ps := testProcesses(t)
	pr, err := ps.start("cat", exec.Command("cat"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(pr.stdin, "x"); err != nil {
		t.Error(err)
	}
	if err := pr.stdin.Close(); err != nil {
		t.Error(err)
	}
	<-pr.ended
	if err := pr.err; err != nil {
		t.Error(err)
	}
}

func TestNodesHaveNumbers(t *testing.T) {
	for name, want := range map[string]int{"node1": 1, "node3": 3, "node": 0, "etcd": 0, "nodeX": 0, "node-1": -1, "": 0} {
		if got := nodeIndex(name); got != want {
			t.Errorf("%q: got %d, want %d", name, got, want)
		}
	}
}

func TestStatusesAreAuditedWithTheirContent(t *testing.T) {
	data, err := auditPolicy()
	if err != nil {
		t.Fatal(err)
	}
	var policy struct {
		Rules []struct {
			Level     string
			Resources []struct{ Group string }
		}
	}
	if err := json.Unmarshal(data, &policy); err != nil {
		t.Fatal(err)
	}
	if n := len(policy.Rules); n != 2 || policy.Rules[0].Level != "Request" || policy.Rules[1].Level != "Metadata" || policy.Rules[1].Resources != nil {
		t.Errorf("got %s: want the content of statuses, and the metadata of everything else", data)
	}
}

func TestPoolsAreOfEveryFamily(t *testing.T) {
	for dual, want := range map[bool]int{false: 1, true: 2} {
		for _, pool := range pools(plan.Plan{DualStack: dual}) {
			spec := pool["spec"].(object)
			if got := spec["addresses"].([]string); len(got) != want {
				t.Errorf("dual stack %v: %v", dual, got)
			}
		}
	}
}

func TestRemoveTreeGoesFromTheLeaves(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(root+"/a/b/c", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := removeTree(root + "/a"); err != nil {
		t.Fatal(err)
	}
	if err := removeTree(root + "/a"); err != nil {
		t.Errorf("what is gone already: %v", err)
	}
	if err := os.MkdirAll(root+"/d", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root+"/d/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := removeTree(root + "/d"); err == nil {
		t.Error("a folder with a file was removed")
	}
	if _, err := os.Stat(root + "/d/file"); errors.Is(err, os.ErrNotExist) {
		t.Error("a file was removed")
	}
}
