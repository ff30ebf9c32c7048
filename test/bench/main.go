package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/sluice-gateway/sluice/test/bench/backend"
)

func main() {
	// Children end with the thread that started them: that must be this one.
	runtime.LockOSThread()
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the benchmark, or one of the roles that it starts itself in.
func run(args []string) error {
	if len(args) == 7 && args[0] == "reverseproxy" {
		return runReverseProxy(args[1:])
	}
	if len(args) == 7 && args[0] == "backend" {
		return backend.Run(backend.Addresses{HTTP: args[1], HTTPS: args[2], GRPC: args[3], UDP: args[4], Cert: args[5], Key: args[6]})
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return measure(ctx, o)
}
