package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/test/bench/stat"
)

// measure runs every scenario and writes the report after each, so that a run
// that is stopped has said what it saw.
func measure(ctx context.Context, o options) error {
	chosen, err := choose(o.scenarios)
	if err != nil {
		return err
	}
	rep := newReport(o)
	r, err := newRig(ctx, o)
	if err != nil {
		return err
	}
	defer r.close()
	rep.takes(r)
	rep.printHead(os.Stdout)
	end := time.Now().Add(o.budget)
	for i, s := range chosen {
		if ctx.Err() != nil {
			break
		}
		// What earlier scenarios left over is the later ones'.
		until := time.Now().Add(time.Until(end) / time.Duration(len(chosen)-i))
		res := r.measureOne(ctx, s, rep.peak, until)
		rep.Scenarios = append(rep.Scenarios, res)
		res.print(os.Stdout)
		if err := rep.write(o.out); err != nil {
			return err
		}
	}
	fmt.Printf("\nwrote %s/latest.json and latest.md\n", o.out)
	return ctx.Err()
}

// measureOne measures one scenario: a round to warm up, then rounds in turns
// until the interval is narrow.
func (r *rig) measureOne(ctx context.Context, s scenario, peak func(string) float64, until time.Time) *result {
	res := &result{Name: s.name, What: s.what, Bytes: s.bytes(), Skipped: maps.Clone(r.missing), order: r.order()}
	if err := r.needs(s); err != nil {
		res.Skipped["all"] = err.Error()
		return res
	}
	able := r.able(ctx, s, res)
	if len(able) == 0 {
		return res
	}
	if s.half != "" {
		res.Rate = r.halfOf(ctx, able[0], s, peak)
	}
	for _, c := range able {
		if s.client != idlers {
			r.round(ctx, c, s, res.Rate, time.Second)
		}
	}
	for round := 0; round < r.most(s) && ctx.Err() == nil && (round == 0 || time.Now().Before(until)); round++ {
		row := map[string]sample{}
		for _, c := range able {
			row[c.name] = r.round(ctx, c, s, res.Rate, r.duration)
		}
		if ctx.Err() != nil {
			break
		}
		res.Rounds = append(res.Rounds, row)
		if len(res.Rounds) >= r.least && res.narrow() {
			break
		}
	}
	res.summarise()
	return res
}

// most bounds the rounds: memory varies less than time, and takes longer.
func (r *rig) most(s scenario) int {
	if s.client == idlers {
		return min(r.rounds, 3)
	}
	return r.rounds
}

// able are the proxies that serve a scenario; what the others say is kept.
func (r *rig) able(ctx context.Context, s scenario, res *result) []*candidate {
	return slices.DeleteFunc(slices.Clone(r.proxies), func(c *candidate) bool {
		err := c.bears(s)
		if err == nil {
			err = r.probe(ctx, c, s)
		}
		if err != nil {
			res.Skipped[c.name] = err.Error()
		}
		return err != nil
	})
}

func (r *rig) order() []string {
	var all []string
	for _, c := range r.proxies {
		all = append(all, c.name)
	}
	return all
}

// halfOf is half of what the first proxy did at most, which is measured now
// where it has not been. All proxies get the same rate.
func (r *rig) halfOf(ctx context.Context, first *candidate, s scenario, peak func(string) float64) float64 {
	if r.rate > 0 {
		return r.rate
	}
	if rps := peak(s.half); rps > 0 {
		return rps / 2
	}
	for _, whole := range scenarios() {
		if whole.name == s.half {
			if whole.client == wrk && r.wrk.Path == "" {
				whole.client = h2loadH1
			}
			r.round(ctx, first, whole, 0, time.Second)
			return r.round(ctx, first, whole, 0, r.duration).RPS / 2
		}
	}
	return 0
}

// narrow reports whether the interval of what the scenario is about is within
// 5 % for every proxy: CPU, and for those at a rate the 99th percentile.
func (r *result) narrow() bool {
	base := r.base()
	for _, name := range r.order {
		if name == base || len(r.column(name, cpuOf)) == 0 {
			continue
		}
		about := cpuOf
		switch {
		case r.Rate > 0:
			about = p99Of
		case r.column(name, cpuOf)[0] == 0:
			about = idleOf
		}
		if !r.ratio(name, base, about).Narrow(0.05) {
			return false
		}
	}
	return true
}

func (r *result) ratio(name, base string, of func(sample) float64) stat.Interval {
	var a, b []float64
	for _, row := range r.Rounds {
		if x, ok := row[name]; ok && x.Failed == "" && row[base].Failed == "" {
			a, b = append(a, of(x)), append(b, of(row[base]))
		}
	}
	return stat.Ratio(a, b)
}

func cpuOf(s sample) float64     { return s.CPU }
func rpsOf(s sample) float64     { return s.RPS }
func p50Of(s sample) float64     { return s.P50 }
func p99Of(s sample) float64     { return s.P99 }
func rssOf(s sample) float64     { return float64(s.RSS) }
func idleOf(s sample) float64    { return s.Idle }
func calmRPSOf(s sample) float64 { return s.CalmRPS }
func calmCPUOf(s sample) float64 { return s.CalmCPU }
func mallocsOf(s sample) float64 {
	return s.Allocs
}
