package rig

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"testing"
)

// Main is the TestMain of tests that share one cluster: it boots the cluster,
// hands it over by found, runs the tests, looks by after at what all of them
// did, and stops the cluster unless it is to be kept. It returns the exit code,
// which is 0 where nobody asked for a cluster.
func Main(m *testing.M, o Options, found func(*Rig), after ...func() error) int {
	if !Asked() {
		fmt.Println(Unasked)
		return 0
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r, err := Boot(ctx, o)
	if err != nil {
		return failed(err)
	}
	if !o.Keep {
		defer func() { _ = r.Stop() }()
	}
	found(r)
	code := m.Run()
	for _, look := range after {
		if err := look(); err != nil {
			return failed(err)
		}
	}
	return code
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}
