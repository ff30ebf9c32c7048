package load

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Wrk loads HTTP/1.1 as fast as it goes.
func (t Tool) Wrk(ctx context.Context, r Run) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, r.Duration+grace)
	defer cancel()
	args := []string{
		"-t1", "-c" + strconv.Itoa(r.Clients), "--latency", "--timeout", "10s",
		"-d", strconv.Itoa(int(max(r.Duration, time.Second)/time.Second)) + "s",
	}
	for _, h := range r.Headers {
		args = append(args, "-H", h)
	}
	script, err := wrkScript(r)
	if err != nil {
		return Result{}, err
	}
	if script != "" {
		args = append(args, "-s", script)
	}
	cmd := exec.CommandContext(ctx, t.Path, append(args, r.URL)...)
	cmd.Env = append(os.Environ(), t.Env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return Result{}, fmt.Errorf("wrk: %w: %s", err, out)
	}
	return parseWrk(string(out))
}

// wrkScript makes the requests before the load begins, so that a script costs
// the client next to nothing.
func wrkScript(r Run) (string, error) {
	var text strings.Builder
	switch {
	case r.Body != "":
		fmt.Fprintf(&text, "wrk.method = 'POST'\nlocal f = io.open(%q, 'rb')\nwrk.body = f:read('*a')\nf:close()\n", r.Body)
	case len(r.Paths) > 0:
		text.WriteString("local all, i = {}, 0\ninit = function()\n")
		for _, p := range r.Paths {
			fmt.Fprintf(&text, "all[#all+1] = wrk.format(nil, %q)\n", p)
		}
		text.WriteString("end\nrequest = function()\ni = i % #all + 1\nreturn all[i]\nend\n")
	default:
		return "", nil
	}
	path := filepath.Join(r.Dir, "load.lua")
	return path, os.WriteFile(path, []byte(text.String()), 0o644)
}

var (
	wrkDone    = regexp.MustCompile(`(\d+) requests in ([0-9.]+)(us|ms|s|m)`)
	wrkShares  = regexp.MustCompile(`(?m)^\s+(50|99)%\s+([0-9.]+)(us|ms|s|m)$`)
	wrkSockets = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
	wrkStatus  = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
)

func parseWrk(out string) (Result, error) {
	done := wrkDone.FindStringSubmatch(out)
	shares := wrkShares.FindAllStringSubmatch(out, -1)
	if done == nil || len(shares) != 2 {
		return Result{}, fmt.Errorf("wrk has not said what it did: %s", out)
	}
	r := Result{Seconds: micros(done[2], done[3]) / 1e6, P50: micros(shares[0][2], shares[0][3]), P99: micros(shares[1][2], shares[1][3])}
	r.Requests, _ = strconv.Atoi(done[1])
	var wrong []string
	if m := wrkSockets.FindString(out); m != "" {
		wrong = append(wrong, m)
	}
	if m := wrkStatus.FindString(out); m != "" {
		wrong = append(wrong, m)
	}
	if r.Failed = strings.Join(wrong, "; "); r.Failed == "" && r.Requests == 0 {
		r.Failed = "no request was answered"
	}
	return r, nil
}

// micros reads a number with wrk's units.
func micros(number, unit string) float64 {
	n, _ := strconv.ParseFloat(number, 64)
	return n * map[string]float64{"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}[unit]
}
