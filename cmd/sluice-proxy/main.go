package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	// The image holds no CA certificates. These count where the system has none.
	_ "golang.org/x/crypto/x509roots/fallback"

	"github.com/sluice-gateway/sluice/dataplanes/pod"
)

func main() {
	// The first signal drains, the second one ends the program at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(pod.Main(ctx, os.Args[1:], pod.Streams{Out: os.Stdout, Err: os.Stderr}))
}
