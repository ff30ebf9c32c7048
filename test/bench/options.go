package main

import (
	"errors"
	"flag"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/test/bench/reverseproxy"
)

// options are the flags.
type options struct {
	scenarios, proxies []string
	rounds, least      int
	idle               int
	routes, procs      int
	duration, budget   time.Duration
	rate               float64
	sluice, packages   string
	out, accessLog     string
	// asked are the flags that were given and that matter to what is measured.
	asked []string
}

func parse(args []string) (options, error) {
	var o options
	var scenarios, proxies string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&scenarios, "scenarios", "", "names, comma-separated, * at the end for all that begin so (default all: "+strings.Join(names(), ", ")+")")
	f.StringVar(&proxies, "proxies", "", "names, comma-separated (default all that can be had; the first that serves a scenario is what the others are compared to)")
	f.IntVar(&o.rounds, "rounds", 20, "rounds of each scenario at most; fewer where the interval is narrow")
	f.IntVar(&o.least, "least", 5, "rounds that an interval is believed from")
	f.DurationVar(&o.duration, "duration", 2*time.Second, "of a round, in whole seconds")
	f.DurationVar(&o.budget, "budget", 90*time.Minute, "bound of the whole run, shared among the scenarios")
	f.IntVar(&o.idle, "idle", 8_000, "connections of the scenarios idle and idle-https; figures are scaled to 10,000")
	f.IntVar(&o.routes, "routes", 1000, "routes of the scenario h1-routes")
	f.IntVar(&o.procs, "procs", 1, "processors that each proxy uses")
	f.Float64Var(&o.rate, "rate", 0, "requests a second of the scenarios at a rate (default half of what the first proxy does at most)")
	f.StringVar(&o.sluice, "sluice", ".bin/sluice", "Sluice's program")
	f.StringVar(&o.packages, "packages", ".bin/debian", "where packages were unpacked")
	f.StringVar(&o.out, "out", "test/bench/results", "folder of latest.json and latest.md")
	f.StringVar(&o.accessLog, "access-log", "file", "file, or null to log to /dev/null where a proxy logs to its output")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	f.Visit(func(g *flag.Flag) {
		if !slices.Contains([]string{"sluice", "packages", "out"}, g.Name) {
			o.asked = append(o.asked, "-"+g.Name+" "+g.Value.String())
		}
	})
	o.scenarios, o.proxies = split(scenarios), split(proxies)
	if o.rounds < 1 || o.routes < 1 || o.routes > 9999 || o.duration < time.Second {
		return o, errors.New("want at least 1 round of at least 1s, and 1 to 9999 routes")
	}
	return o.absolute()
}

// absolute makes paths good in any folder.
func (o options) absolute() (options, error) {
	for _, p := range []*string{&o.sluice, &o.packages, &o.out} {
		var err error
		if *p, err = filepath.Abs(*p); err != nil {
			return o, err
		}
	}
	return o, nil
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

func runReverseProxy(args []string) error {
	var ports [5]int
	for i, text := range strings.Split(args[0], ",") {
		ports[i%5], _ = strconv.Atoi(text)
	}
	count, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	return reverseproxy.Run(reverseproxy.Options{
		Plain: ports[0], TLS: ports[1], Routes: ports[2], GRPC: ports[3], Admin: ports[4],
		Backend: args[1], GRPCBackend: args[2], Count: count, Cert: args[4], Key: args[5],
	})
}
