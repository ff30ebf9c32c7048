package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/test/bench/stat"
)

// H2 loads HTTP/2: over TLS by ALPN, else from the first byte.
func (t Tool) H2(ctx context.Context, r Run) (Result, error) { return t.h2load(ctx, r) }

// H1 loads HTTP/1.1, at a rate.
func (t Tool) H1(ctx context.Context, r Run) (Result, error) { return t.h2load(ctx, r, "--h1") }

func (t Tool) h2load(ctx context.Context, r Run, more ...string) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, r.Duration+grace)
	defer cancel()
	journal := filepath.Join(r.Dir, "h2load.log")
	if err := os.RemoveAll(journal); err != nil {
		return Result{}, err
	}
	cmd := exec.CommandContext(ctx, t.Path, append(h2loadArgs(r, journal), append(more, r.URL)...)...)
	cmd.Env = append(os.Environ(), t.Env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return Result{}, fmt.Errorf("h2load: %w: %s", err, out)
	}
	f, err := os.Open(journal)
	if err != nil {
		return Result{}, err
	}
	defer f.Close()
	return parseH2load(string(out), f, r.Duration)
}

func h2loadArgs(r Run, journal string) []string {
	args := []string{
		"-t1", "-c", strconv.Itoa(r.Clients), "-m", strconv.Itoa(max(r.Streams, 1)), "--log-file", journal,
		"-D", strconv.Itoa(int(max(r.Duration, time.Second) / time.Second)),
	}
	if r.Rate > 0 {
		args = append(args, "--rps", fmt.Sprintf("%.1f", r.Rate/float64(r.Clients)))
	}
	if r.Body != "" {
		args = append(args, "-d", r.Body)
	}
	for _, h := range r.Headers {
		args = append(args, "-H", h)
	}
	return args
}

var h2loadDone = regexp.MustCompile(`(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout`)

// parseH2load takes counts from what h2load says, and times from its journal:
// a line a request, with start, status and duration in microseconds.
func parseH2load(out string, journal io.Reader, d time.Duration) (Result, error) {
	done := h2loadDone.FindStringSubmatch(out)
	if done == nil {
		return Result{}, fmt.Errorf("h2load has not said what it did: %s", out)
	}
	var times []float64
	other := 0
	for lines := bufio.NewScanner(journal); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 {
			return Result{}, fmt.Errorf("h2load's journal has the line %q, want three numbers", lines.Text())
		}
		took, err := strconv.ParseFloat(fields[2], 64)
		if err != nil {
			return Result{}, err
		}
		if fields[1] != "200" {
			other++
		}
		times = append(times, took)
	}
	r := Result{Seconds: max(d, time.Second).Seconds(), P50: stat.Percentile(times, .5), P99: stat.Percentile(times, .99)}
	r.Requests, _ = strconv.Atoi(done[1])
	r.Failed = failed(other, "answers that are not 200")
	if done[2] != "0" || done[3] != "0" || done[4] != "0" {
		r.Failed = done[0]
	}
	if r.Requests == 0 {
		r.Failed = fmt.Sprintf("no request was answered: %s, and %d lines in the journal", done[0], len(times))
	}
	return r, nil
}
