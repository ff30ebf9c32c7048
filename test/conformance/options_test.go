package conformance

import (
	"flag"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// These flags are what make conformance's variables become.
var (
	dataplane = flag.String("dataplane", "go", "the dataplane to test: the part of the controllerName after sluice.dev/")
	channel   = flag.String("channel", "experimental", "the channel of the Gateway API CRDs: experimental or standard")
	only      = flag.String("only", "", "run the tests whose short names match this regular expression; no report is written")
	keep      = flag.Bool("keep", false, "leave the cluster running for a look")
	repeat    = flag.Int("repeat", 1, "run the suite this many times in one cluster; the last run's report stays")
	reports   = flag.String("reports", "reports", "the folder to write the report into")
	version   = flag.String("sluice-version", "dev", "the version to write into the report, and to tag the images with")
)

// options are the flags, checked.
type options struct {
	dataplane string
	channel   string
	only      *regexp.Regexp
	keep      bool
	repeat    int
	reports   string
	version   string
}

func parseOptions(t *testing.T) options {
	t.Helper()
	o := options{dataplane: *dataplane, channel: *channel, keep: *keep, repeat: *repeat, reports: *reports, version: *version}
	if !slices.Contains([]string{"experimental", "standard"}, o.channel) {
		t.Fatalf("-channel %s: Gateway API has the channels experimental and standard", o.channel)
	}
	if o.repeat < 1 {
		t.Fatalf("-repeat %d: run the suite at least once", o.repeat)
	}
	if *only != "" {
		pattern, err := regexp.Compile(*only)
		if err != nil {
			t.Fatalf("-only: %v", err)
		}
		o.only = pattern
	}
	return o
}

// report is the file that a run of every test writes.
func (o options) report() string {
	suffix := ""
	if o.channel == "standard" {
		suffix = "-standard"
	}
	return filepath.Join(o.reports, "v1.6.3-"+o.dataplane+suffix+".yaml")
}
