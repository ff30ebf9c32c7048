package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/sluice-gateway/sluice/test/bench/stat"
)

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// print writes a scenario for a terminal.
func (r *result) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s: %s%s\n", r.Name, r.What, atRate(r.Rate))
	if len(r.Rows) > 0 {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "  proxy\trounds\treq/s\tCPU us\tratio [95%]\tp50\tp99\tratio [95%]\tRSS\tallocs\tCPU s/GiB\t10k idle\tratio [95%]")
		for _, l := range r.Rows {
			m := l.Median
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Proxy, l.rounds(),
				number(m.RPS, "%.0f"), number(m.CPU, "%.1f"), interval(l.CPU), latency(m.P50), latency(m.P99), interval(l.P99),
				size(float64(m.RSS)), number(m.Allocs, "%.2f"), number(l.CPUs, "%.3f"), size(m.Idle), interval(l.Idle))
		}
		t.Flush()
	}
	for _, l := range r.Rows {
		if l.Kept != nil {
			fmt.Fprintf(w, "  %s beside that: requests/s × %s, CPU a request × %s\n", l.Proxy, interval(l.Kept), interval(l.Extra))
		}
		if l.Failed > 0 {
			fmt.Fprintf(w, "  %s failed in %d of %d rounds: %s\n", l.Proxy, l.Failed, l.Failed+l.Good, l.Why)
		}
	}
	for _, name := range sortedKeys(r.Skipped) {
		why, _, _ := strings.Cut(r.Skipped[name], "\n")
		fmt.Fprintf(w, "  %s left out: %s\n", name, why)
	}
}

func atRate(rate float64) string {
	if rate == 0 {
		return ""
	}
	return fmt.Sprintf(", %.0f requests/s", rate)
}

func (l row) rounds() string {
	if l.Failed > 0 {
		return fmt.Sprintf("%d (%d failed)", l.Good, l.Failed)
	}
	return fmt.Sprint(l.Good)
}

func number(n float64, format string) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf(format, n)
}

func interval(i *stat.Interval) string {
	if i == nil {
		return "-"
	}
	high := fmt.Sprintf("%.2f", i.High)
	if i.High > 99 {
		high = "over 99"
	}
	return fmt.Sprintf("%.2f [%.2f-%s]", i.Mid, i.Low, high)
}

func latency(us float64) string { return number(us/1000, "%.2fms") }

func size(bytes float64) string { return number(bytes/(1<<20), "%.1fMiB") }

// markdown writes the tables for docs/performance.md.
func (r *report) markdown(w io.Writer) {
	fmt.Fprintf(w, "`%s`: %s.\n\n", r.Command, r.about())
	for _, v := range r.Versions {
		fmt.Fprintf(w, "* %s: %s\n", v[0], v[1])
	}
	for _, name := range sortedKeys(r.Missing) {
		fmt.Fprintf(w, "* %s took no part: %s\n", name, strings.ReplaceAll(r.Missing[name], "\n", " "))
	}
	fmt.Fprint(w, "\n| load | proxy | rounds | requests/s | CPU µs a request | × the first | p50 ms | p99 ms | × the first | RSS MiB | allocations |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, s := range r.Scenarios {
		if !s.idle() {
			s.markdownRows(w)
		}
	}
	for _, s := range r.Scenarios {
		if s.idle() && len(s.Rows) > 0 {
			s.markdownIdle(w)
		}
	}
	r.markdownBeside(w)
}

// markdownBeside writes what a proxy is worth with something beside the load,
// against itself without.
func (r *report) markdownBeside(w io.Writer) {
	head := "\n| load | proxy | requests/s × calm | CPU a request × calm |\n|---|---|---|---|\n"
	for _, s := range r.Scenarios {
		for _, l := range s.Rows {
			if l.Kept != nil {
				fmt.Fprintf(w, "%s| %s | %s | %s | %s |\n", head, s.What, l.Proxy, interval(l.Kept), interval(l.Extra))
				head = ""
			}
		}
	}
}

func (r *result) markdownRows(w io.Writer) {
	for i, l := range r.Rows {
		what := ""
		if i == 0 {
			what = r.What + atRate(r.Rate)
		}
		m := l.Median
		cpu := number(m.CPU, "%.1f")
		if l.CPUs > 0 {
			cpu += fmt.Sprintf(" (%.2f s/GiB)", l.CPUs)
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", what, l.Proxy, l.rounds(),
			number(m.RPS, "%.0f"), cpu, interval(l.CPU), number(m.P50/1000, "%.2f"), number(m.P99/1000, "%.2f"), interval(l.P99),
			number(float64(m.RSS)/(1<<20), "%.1f"), number(m.Allocs, "%.2f"))
	}
}

// idle says whether it is memory that was measured.
func (r *result) idle() bool { return strings.HasPrefix(r.Name, "idle") }

func (r *result) markdownIdle(w io.Writer) {
	fmt.Fprintf(w, "\n| proxy | MiB for 10,000 %s | × the first |\n|---|---|---|\n", r.What)
	for _, l := range r.Rows {
		fmt.Fprintf(w, "| %s | %s | %s |\n", l.Proxy, number(l.Median.Idle/(1<<20), "%.1f"), interval(l.Idle))
	}
}
