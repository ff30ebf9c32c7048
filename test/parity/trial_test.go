package parity

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/operator/source/dir/schema"
)

var (
	requests = flag.Int("requests", 300, "how many random requests are held against every dataplane")
	seed     = flag.Uint64("seed", 1, "the first trial's seed")
	most     = flag.Int("most", 1, "stop after so many differences")
)

// perTrial is how many requests are made to one unit.
const perTrial = 150

// TestTheyAnswerAlike makes units and requests by chance. It prints what dataplanes
// do not agree in as a case of this suite, without what the difference does not need.
func TestTheyAnswerAlike(t *testing.T) {
	c := contenders(t)
	if len(c) < 2 {
		t.Skip("one dataplane alone has nothing to agree with")
	}
	asked, found, counts := 0, 0, tallies{}
	for trial := *seed; asked < *requests && found < *most; trial++ {
		made := newChance(trial).trial(min(perTrial, *requests))
		d, err := c.run(t.Context(), made, counts)
		if err != nil {
			t.Errorf("seed %d: %v", trial, err)
			found++
			continue
		}
		asked += len(made.Requests)
		if d == nil {
			continue
		}
		found++
		t.Logf("seed %d: they differ, and what that needs is looked for:\n%s%+v", trial, d.Lines, d.Request)
		made, d = shrink(t.Context(), made, d)
		text, err := made.text(d)
		t.Errorf("seed %d: %s do not agree:\n%s\n%s%v", trial, strings.Join(c.names(), ", "), d.Lines, text, orNothing(err))
	}
	t.Logf("%d requests to %s; they met %v", asked, strings.Join(c.names(), ", "), counts)
}

func orNothing(err error) string {
	if err == nil {
		return ""
	}
	return fmt.Sprint(err)
}

// contenders are the dataplanes that can be had here, the Go proxy first.
func contenders(t *testing.T) contest {
	t.Helper()
	catalog := schema.NewCatalog()
	var all contest
	for name := range strings.SplitSeq(*planes, ",") {
		dataplane := known[name]
		if dataplane == nil {
			t.Fatalf("-dataplanes: %q is not known", name)
		}
		needs(t, name)
		all = append(all, Bench{Dataplane: dataplane, Catalog: catalog})
	}
	return all
}
