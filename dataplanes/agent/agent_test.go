package agent_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/agent"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"
	"github.com/sluice-gateway/sluice/ir"
)

func owner(name string) ir.Object { return ir.Object{Kind: "Gateway", Name: name} }

func assignment(name, version string) dataplanes.Assignment {
	return dataplanes.Assignment{Version: version, Unit: &ir.Unit{Proxy: &ir.Proxy{Owner: owner(name)}}}
}

// Of wishes of one owner the last one counts, and removals come first.
func TestWishes(t *testing.T) {
	w := agent.NewWishes()
	w.Apply(assignment("a", "1"))
	w.Apply(assignment("b", "1"))
	w.Apply(assignment("a", "2"))
	w.Remove(owner("c"))
	<-w.Wake()
	var got []string
	for _, wish := range w.Take() {
		version := "gone"
		if wish.Assignment != nil {
			version = wish.Assignment.Version
		}
		got = append(got, wish.Owner.Name+" "+version)
	}
	if want := []string{"c gone", "a 2", "b 1"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if left := w.Take(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// Outcomes that nobody has read are overtaken, and the channel ends with Close.
func TestOutbox(t *testing.T) {
	o := agent.NewOutbox()
	o.Report(dataplanes.Outcome{Owner: owner("a"), Version: "1"})
	o.Report(dataplanes.Outcome{Owner: owner("b"), Version: "1"})
	o.Report(dataplanes.Outcome{Owner: owner("gone"), Version: "1"})
	o.Report(dataplanes.Outcome{Owner: owner("a"), Version: "2"})
	o.Drop(owner("gone"))
	got := map[string]string{}
	for len(got) < 2 {
		outcome := <-o.Outcomes()
		got[outcome.Owner.Name] = outcome.Version
	}
	if got["a"] != "2" || got["b"] != "1" {
		t.Errorf("got %v", got)
	}
	o.Report(dataplanes.Outcome{Owner: owner("a"), Version: "3"})
	o.Close()
	for range o.Outcomes() { //nolint:revive // Until it is closed.
	}
}

// Whoever is guilty alone is found, each of them and nobody else.
func TestBisect(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 200).Draw(t, "suspects")
		bad := map[int]bool{}
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, 199), 0, 6).Draw(t, "guilty") {
			bad[i] = i < n
		}
		suspects := make([]int, n)
		for i := range suspects {
			suspects[i] = i
		}
		asked := 0
		found, err := agent.Bisect(suspects, func(some []int) (string, error) {
			asked++
			if i := slices.IndexFunc(some, func(i int) bool { return bad[i] }); i >= 0 {
				return fmt.Sprint(some[i]), nil
			}
			return "", nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range found {
			if !bad[g.Suspect] || g.Words != fmt.Sprint(g.Suspect) {
				t.Fatalf("%d is not guilty of %q", g.Suspect, g.Words)
			}
			delete(bad, g.Suspect)
		}
		for i, still := range bad {
			if still {
				t.Fatalf("%d was not found", i)
			}
		}
		if most := 1 + 20*max(1, len(found)); asked > most {
			t.Fatalf("%d questions for %d guilty of %d, want at most %d", asked, len(found), n, most)
		}
	})
}

// Where some are refused together alone, the last of them is.
func TestBisectTogether(t *testing.T) {
	refuse := func(some []string) (string, error) {
		if slices.Contains(some, "b") && slices.Contains(some, "f") {
			return "b and f", nil
		}
		return "", nil
	}
	found, err := agent.Bisect([]string{"a", "b", "c", "d", "e", "f", "g"}, refuse)
	if err != nil || len(found) != 1 || found[0].Suspect != "f" || found[0].Words != "b and f" {
		t.Errorf("got %v, %v", found, err)
	}
	wrong := errors.New("nobody answers")
	if _, err := agent.Bisect([]string{"a"}, func([]string) (string, error) { return "", wrong }); !errors.Is(err, wrong) {
		t.Errorf("got %v", err)
	}
}

// output is written by a child and read by a test.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// A program that ends is started again, and what it says is heard.
func TestChild(t *testing.T) {
	said, lines := &agent.Tail{}, &output{}
	c := agent.Keep(agent.Program{Path: "/bin/sh", Args: []string{"-c", "echo said; echo '[error] no' >&2; echo '[warning] odd' >&2; exit 3"}, Said: said, Lines: lines})
	defer c.Stop()
	<-c.Ended()
	wait.For(t, "it is started again", func() bool { n, err := c.Starts(); return n > 2 && err != nil && err.Error() == "exit status 3" })
	if said.Worst() != "[error] no" || !strings.Contains(lines.String(), "said\n") {
		t.Errorf("said %q, lines %q", said, lines)
	}
}

// Stop ends a program that lives, and one that cannot be started is no hang.
func TestStopChild(t *testing.T) {
	c := agent.Keep(agent.Program{Path: "/bin/sh", Args: []string{"-c", "read x"}, Env: []string{}})
	c.Stop()
	c = agent.Keep(agent.Program{Path: "/bin/sh", Args: []string{"-c", "trap '' TERM; exec sleep 1000"}})
	wait.For(t, "it runs", func() bool { return c.PID() != 0 })
	pid := c.PID()
	c.Stop()
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
		t.Errorf("%d is there", pid)
	}
	none := agent.Keep(agent.Program{Path: "/nowhere/program"})
	<-none.Ended()
	none.Stop()
}
