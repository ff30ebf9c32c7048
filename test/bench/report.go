package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/test/bench/process"
	"github.com/sluice-gateway/sluice/test/bench/stat"
)

// report is what latest.json holds.
type report struct {
	Command string `json:"command"`
	// Tree is the commit that was measured, where git says so.
	Tree     string            `json:"tree,omitempty"`
	Began    time.Time         `json:"began"`
	Machine  machine           `json:"machine"`
	Versions [][2]string       `json:"versions"`
	Missing  map[string]string `json:"missing,omitempty"`
	// Scenarios hold every round, also those that do not count.
	Scenarios []*result `json:"scenarios"`
}

// machine is where the numbers are from.
type machine struct {
	Processors int    `json:"processors"`
	Model      string `json:"model"`
	Kernel     string `json:"kernel"`
	Go         string `json:"go"`
	// Idle is the share of the processors that nobody used before the run.
	Idle float64 `json:"idle_before"`
}

// busy is the share below which a machine is said to do other work.
const busy = 0.95

// result is one scenario.
type result struct {
	Name string `json:"name"`
	What string `json:"what"`
	// Rate is requests a second; 0 is as many as can be.
	Rate float64 `json:"rate,omitempty"`
	// Bytes of a body that each request moves, where it is large.
	Bytes   int                 `json:"bytes,omitempty"`
	Rounds  []map[string]sample `json:"rounds"`
	Rows    []row               `json:"rows"`
	Skipped map[string]string   `json:"skipped,omitempty"`
	order   []string
}

// row sums up a proxy's rounds: medians, and ratios to the first proxy's with
// their 95 % intervals.
type row struct {
	Proxy  string  `json:"proxy"`
	Good   int     `json:"good"`
	Failed int     `json:"failed"`
	Why    string  `json:"why,omitempty"`
	Median sample  `json:"median"`
	CPUs   float64 `json:"cpu_s_per_gib,omitempty"`
	// CPU, P99 and Idle are times the first proxy's.
	CPU  *stat.Interval `json:"cpu_ratio,omitempty"`
	P99  *stat.Interval `json:"p99_ratio,omitempty"`
	Idle *stat.Interval `json:"idle_ratio,omitempty"`
	// Kept and Extra are requests a second and CPU a request, times the same
	// proxy's without what went on beside the load.
	Kept  *stat.Interval `json:"kept_rps_ratio,omitempty"`
	Extra *stat.Interval `json:"extra_cpu_ratio,omitempty"`
}

func newReport(o options) *report {
	command := "make bench"
	if len(o.asked) > 0 {
		command += " FLAGS='" + strings.Join(o.asked, " ") + "'"
	}
	tree, _ := exec.Command("git", "describe", "--always", "--dirty").Output()
	return &report{Command: command, Tree: strings.TrimSpace(string(tree)), Began: time.Now().UTC().Truncate(time.Second), Machine: look()}
}

func look() machine {
	read := func(path string) string {
		text, _ := os.ReadFile(path)
		return strings.TrimSpace(string(text))
	}
	m := machine{Processors: runtime.NumCPU(), Kernel: read("/proc/sys/kernel/osrelease"), Go: runtime.Version()}
	for line := range strings.Lines(read("/proc/cpuinfo")) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			m.Model = strings.TrimSpace(value)
			break
		}
	}
	before := read("/proc/stat")
	time.Sleep(time.Second)
	m.Idle, _ = process.Idle(before, read("/proc/stat"))
	return m
}

func (r *report) takes(rig *rig) {
	r.Missing = rig.missing
	for _, c := range rig.proxies {
		r.Versions = append(r.Versions, [2]string{c.name, c.version})
	}
}

// peak is the median rate of a scenario's first proxy; 0 where there is none.
func (r *report) peak(name string) float64 {
	for _, s := range r.Scenarios {
		if s.Name == name && len(s.Rows) > 0 {
			return s.Rows[0].Median.RPS
		}
	}
	return 0
}

func (r *result) column(name string, of func(sample) float64) []float64 {
	var all []float64
	for _, row := range r.Rounds {
		if s, ok := row[name]; ok && s.Failed == "" {
			all = append(all, of(s))
		}
	}
	return all
}

// base is the first proxy that takes part.
func (r *result) base() string {
	for _, name := range r.order {
		if len(r.Rounds) > 0 {
			if _, ok := r.Rounds[0][name]; ok {
				return name
			}
		}
	}
	return ""
}

func (r *result) summarise() {
	base := r.base()
	for _, name := range r.order {
		if len(r.Rounds) == 0 {
			return
		}
		if _, ok := r.Rounds[0][name]; !ok {
			continue
		}
		of := func(measure func(sample) float64) float64 { return finite(stat.Median(r.column(name, measure))) }
		line := row{
			Proxy: name, Good: len(r.column(name, cpuOf)),
			Median: sample{
				RPS: of(rpsOf), CPU: of(cpuOf), P50: of(p50Of), P99: of(p99Of),
				RSS: int64(of(rssOf)), Idle: of(idleOf), Allocs: of(mallocsOf),
			},
			CPU: r.bounded(name, base, cpuOf), P99: r.bounded(name, base, p99Of), Idle: r.bounded(name, base, idleOf),
		}
		line.Kept, line.Extra = r.besides(name, rpsOf, calmRPSOf), r.besides(name, cpuOf, calmCPUOf)
		line.Failed, line.Why = len(r.Rounds)-line.Good, r.firstFailure(name)
		if r.Bytes > 0 {
			line.CPUs = line.Median.CPU / 1e6 * (1 << 30) / float64(r.Bytes)
		}
		r.Rows = append(r.Rows, line)
	}
}

// bounded is a ratio whose bounds are numbers; nil where there are too few
// rounds for that, and for the first proxy itself.
func (r *result) bounded(name, base string, of func(sample) float64) *stat.Interval {
	i := r.ratio(name, base, of)
	if name == base || finite(i.Mid) == 0 || finite(i.High) == 0 {
		return nil
	}
	return &i
}

// besides is the ratio of two measures of the same proxy; nil where the second
// was not made.
func (r *result) besides(name string, with, without func(sample) float64) *stat.Interval {
	i := stat.Ratio(r.column(name, with), r.column(name, without))
	if finite(i.Mid) == 0 || finite(i.High) == 0 {
		return nil
	}
	return &i
}

func (r *result) firstFailure(name string) string {
	for _, row := range r.Rounds {
		if s := row[name]; s.Failed != "" {
			return s.Failed
		}
	}
	return ""
}

func (r *report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "latest.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	var page bytes.Buffer
	r.markdown(&page)
	return os.WriteFile(filepath.Join(dir, "latest.md"), page.Bytes(), 0o644)
}

func (r *report) printHead(w io.Writer) {
	fmt.Fprintf(w, "%s\n%s\n", r.Command, r.about())
	for _, v := range r.Versions {
		fmt.Fprintf(w, "  %-8s %s\n", v[0], v[1])
	}
	for _, name := range sortedKeys(r.Missing) {
		fmt.Fprintf(w, "  %-8s left out: %s\n", name, r.Missing[name])
	}
}

// about says where the numbers are from, and how far to trust them.
func (r *report) about() string {
	m := r.Machine
	text := fmt.Sprintf("%d processors (%s), Linux %s, %s, %s", m.Processors, m.Model, m.Kernel, m.Go, r.Began.Format("2006-01-02"))
	if r.Tree != "" {
		text += ", commit " + r.Tree
	}
	if m.Idle < busy {
		text += fmt.Sprintf("; the machine was busy (%.0f %% idle before the run): these numbers are noisy", 100*m.Idle)
	}
	return text
}
