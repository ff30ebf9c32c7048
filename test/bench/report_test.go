package main

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
)

func rounds(n int, of func(i int) map[string]sample) *result {
	r := &result{Name: "h1", What: "HTTP/1.1", order: []string{"absent", "first", "other"}}
	for i := range n {
		r.Rounds = append(r.Rounds, of(i))
	}
	return r
}

func TestSummariseComparesToTheFirstThatServes(t *testing.T) {
	r := rounds(6, func(i int) map[string]sample {
		slow := 1 + float64(i) // The whole machine becomes slower and slower.
		return map[string]sample{"first": {CPU: 10 * slow, RPS: 100}, "other": {CPU: 20 * slow, RPS: 50}}
	})
	r.summarise()
	if len(r.Rows) != 2 || r.Rows[0].Proxy != "first" || r.Rows[0].CPU != nil {
		t.Fatalf("rows %+v", r.Rows)
	}
	other := r.Rows[1]
	if other.CPU == nil || math.Abs(other.CPU.Mid-2) > 1e-9 || !r.narrow() || other.Median.CPU != 70 {
		t.Errorf("other is %+v, narrow %v; want twice the first's CPU, exactly", other, r.narrow())
	}
}

func TestFailedRoundsDoNotCount(t *testing.T) {
	r := rounds(6, func(i int) map[string]sample {
		bad := sample{CPU: 1000, Failed: "7 answers that are not 200"}
		row := map[string]sample{"first": {CPU: 10 + float64(i%2)}, "other": {CPU: 30}}
		switch i {
		case 0:
			row["other"] = bad
		case 1:
			row["first"] = bad
		}
		return row
	})
	r.summarise()
	first, other := r.Rows[0], r.Rows[1]
	if other.Good != 5 || other.Failed != 1 || other.Why == "" || other.Median.CPU != 30 {
		t.Errorf("other is %+v", other)
	}
	if first.Failed != 1 || other.CPU.High > 3.2 || r.narrow() {
		t.Errorf("first %+v, ratio %+v, narrow %v: rounds in which either failed must fall out of both", first, other.CPU, r.narrow())
	}
}

func TestWhatGoesOnBesideIsComparedToTheSameProxy(t *testing.T) {
	r := rounds(6, func(i int) map[string]sample {
		slow := 1 + float64(i) // The whole machine becomes slower and slower.
		return map[string]sample{
			"first": {CPU: 11 * slow, CalmCPU: 10 * slow, RPS: 90 / slow, CalmRPS: 100 / slow}, "other": {CPU: 20, RPS: 50},
		}
	})
	r.summarise()
	first, other := r.Rows[0], r.Rows[1]
	if first.Kept == nil || math.Abs(first.Kept.Mid-0.9) > 1e-9 || math.Abs(first.Extra.Mid-1.1) > 1e-9 || other.Kept != nil {
		t.Errorf("first keeps %+v at %+v, other %+v; want 0.9 at 1.1, and nothing", first.Kept, first.Extra, other.Kept)
	}
	var page bytes.Buffer
	(&report{Scenarios: []*result{r}}).markdown(&page)
	if !strings.Contains(page.String(), "| HTTP/1.1 | first | 0.90 [0.90-0.90] | 1.10 [1.10-1.10] |") {
		t.Errorf("the page lacks it:\n%s", page.String())
	}
}

func TestReportIsJSONWhateverWasMeasured(t *testing.T) {
	one := rounds(1, func(int) map[string]sample { return map[string]sample{"first": {CPU: 1}, "other": {}} })
	none := rounds(2, func(int) map[string]sample { return map[string]sample{"first": {Failed: "x"}, "other": {CPU: 3}} })
	empty := rounds(0, nil)
	rep := report{Scenarios: []*result{one, none, empty}}
	for _, s := range rep.Scenarios {
		s.summarise()
		s.print(&bytes.Buffer{})
	}
	if _, err := json.Marshal(rep); err != nil {
		t.Error(err)
	}
	var page bytes.Buffer
	rep.markdown(&page)
	if !strings.Contains(page.String(), "| HTTP/1.1 | first |") {
		t.Errorf("no row in\n%s", page.String())
	}
}

func TestChoose(t *testing.T) {
	got, err := choose([]string{"https*", "h1"})
	var all []string
	for _, s := range got {
		all = append(all, s.name)
	}
	if want := []string{"h1", "https", "https-1m", "https-rate"}; err != nil || !slices.Equal(all, want) {
		t.Errorf("choose = %v, %v; want %v", all, err, want)
	}
	if _, err := choose([]string{"h9"}); err == nil || !strings.Contains(err.Error(), "h9") {
		t.Errorf("an unknown scenario: %v", err)
	}
	if got, err := choose(nil); err != nil || len(got) != len(scenarios()) {
		t.Errorf("nothing asked for: %d scenarios, %v", len(got), err)
	}
}

func TestHalvesStandBehindTheirWholes(t *testing.T) {
	seen := map[string]bool{"": true}
	for _, s := range scenarios() {
		if !seen[s.half] || seen[s.name] {
			t.Errorf("%s: %q stands behind it, or it stands there twice", s.name, s.half)
		}
		seen[s.name] = true
	}
}

func TestAllAdded(t *testing.T) {
	head := "GET / HTTP/1.1\r\nHost: x\r\nx-forwarded-for: 1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: x\r\nX-Forwarded-Port: 1\r\n"
	if err := allAdded(head); err == nil || !strings.Contains(err.Error(), "X-Request-Id") {
		t.Errorf("without a request id: %v", err)
	}
	if err := allAdded(head + "X-Request-ID: 1"); err != nil {
		t.Error(err)
	}
}

func TestFindMallocs(t *testing.T) {
	text := "# HELP go_memstats_mallocs_total x\ngo_memstats_mallocs_total 1.5e+06\nother 1\n"
	if got, ok := findMallocs(strings.NewReader(text)); !ok || got != 1.5e6 {
		t.Errorf("findMallocs = %v, %v", got, ok)
	}
	if _, ok := findMallocs(strings.NewReader("sluice_proxy_requests_total 1\n")); ok {
		t.Error("found what is not there")
	}
}
