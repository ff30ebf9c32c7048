package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/test/bench/load"
	"github.com/sluice-gateway/sluice/test/bench/process"
)

// sample is what one round of one proxy measured. A measure that was not made
// is 0.
type sample struct {
	// RPS is requests a second; CPU is microseconds of the proxy's processes a
	// request; P50 and P99 are microseconds.
	RPS float64 `json:"rps,omitempty"`
	CPU float64 `json:"cpu_us,omitempty"`
	P50 float64 `json:"p50_us,omitempty"`
	P99 float64 `json:"p99_us,omitempty"`
	// RSS is bytes after the round; Idle is bytes for 10,000 idle connections.
	RSS  int64   `json:"rss,omitempty"`
	Idle float64 `json:"idle_bytes,omitempty"`
	// CalmRPS and CalmCPU are RPS and CPU of a moment before or after, without what
	// went on beside the load.
	CalmRPS float64 `json:"calm_rps,omitempty"`
	CalmCPU float64 `json:"calm_cpu_us,omitempty"`
	// Allocs is allocations a request, of proxies that expose them.
	Allocs float64 `json:"allocs,omitempty"`
	// Failed is why the round does not count.
	Failed string `json:"failed,omitempty"`
}

func (r *rig) round(ctx context.Context, c *candidate, s scenario, rate float64, d time.Duration) sample {
	var out sample
	var err error
	run := load.Run{
		URL: s.url(s.port(c.setup.Ports)), Paths: s.paths(r.routes), Headers: s.fields(), Body: r.bodyOf(s),
		Clients: s.clients, Streams: s.streams, Rate: rate, Duration: d, Dir: r.dir,
	}
	switch {
	case s.client == idlers:
		out, err = r.idleRound(ctx, c, s)
	case s.beside != nothing:
		out, err = r.besideRound(ctx, c, s, run)
	default:
		out, err = r.loadRound(ctx, c, s, run)
	}
	c.quiet()
	if err != nil && ctx.Err() == nil {
		out.Failed = err.Error()
	}
	return out
}

func (r *rig) loadRound(ctx context.Context, c *candidate, s scenario, run load.Run) (sample, error) {
	before, err := c.usage()
	if err != nil {
		return sample{}, err
	}
	mallocs, counted := c.mallocs(ctx)
	got, err := r.client(s)(ctx, run)
	if err != nil {
		return sample{}, err
	}
	after, err := c.usage()
	if err != nil {
		return sample{}, err
	}
	n := float64(max(got.Requests, 1))
	out := sample{
		RPS: n / got.Seconds, CPU: float64((after.CPU-before.CPU)/time.Microsecond) / n,
		P50: finite(got.P50), P99: finite(got.P99), RSS: after.RSS, Failed: got.Failed,
	}
	if now, ok := c.mallocs(ctx); ok && counted {
		out.Allocs = (now - mallocs) / n
	}
	return out, nil
}

func (r *rig) client(s scenario) load.Client {
	switch s.client {
	case h2loadH1:
		return r.h2load.H1
	case h2loadH2:
		return r.h2load.H2
	case datagrams:
		return load.UDP
	}
	return r.wrk.Wrk
}

// usage is of the proxy's processes; one that has ended is an error.
func (c *candidate) usage() (process.Usage, error) {
	if c.running == nil {
		return process.Usage{}, errors.New(c.name + " does not run")
	}
	return process.Read(os.DirFS("/proc"), c.running.PID())
}

// idleRound starts the proxy anew, as memory that a process had it keeps.
func (r *rig) idleRound(ctx context.Context, c *candidate, s scenario) (sample, error) {
	c.stop()
	if err := c.start(ctx); err != nil {
		return sample{}, err
	}
	if err := r.probe(ctx, c, s); err != nil {
		return sample{}, err
	}
	before, err := c.settled(ctx)
	if err != nil {
		return sample{}, err
	}
	idle, err := load.Open(ctx, load.Idlers{Address: local(s.port(c.setup.Ports)), TLS: s.tls, Count: r.idle})
	if err != nil {
		return sample{}, err
	}
	defer idle.Close()
	after, err := c.settled(ctx)
	if err != nil {
		return sample{}, err
	}
	return sample{RSS: after.RSS, Idle: float64(after.RSS-before.RSS) * 10_000 / float64(r.idle)}, idle.Alive()
}

// settled waits until the proxy's memory has stood still for a second, ten
// seconds at most.
func (c *candidate) settled(ctx context.Context) (process.Usage, error) {
	last, err := c.usage()
	for range 10 {
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case <-time.After(time.Second):
		}
		now, wrong := c.usage()
		if wrong != nil || now.RSS == last.RSS {
			return now, wrong
		}
		last = now
	}
	return last, err
}

// mallocs reads go_memstats_mallocs_total, which Go programs may expose.
func (c *candidate) mallocs(ctx context.Context) (float64, bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	url := "http://" + local(c.setup.Ports.Admin) + "/metrics"
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, false
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, false
	}
	defer answer.Body.Close()
	return findMallocs(answer.Body)
}

func findMallocs(metrics io.Reader) (float64, bool) {
	for lines := bufio.NewScanner(metrics); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "go_memstats_mallocs_total "); ok {
			n, err := strconv.ParseFloat(value, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// finite turns what is no number into 0, which JSON can hold.
func finite(f float64) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

// needs says which program a scenario's load comes from, if one is missing.
func (r *rig) needs(s scenario) error {
	tool := map[client]string{wrk: "wrk", h2loadH1: "h2load", h2loadH2: "h2load"}[s.client]
	if why, ok := r.missing[tool]; ok {
		return fmt.Errorf("no load: %s", why)
	}
	return nil
}
