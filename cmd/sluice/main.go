package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/sluice-gateway/sluice/operator/app"
)

func main() {
	// The first signal drains, the second one ends the program at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(app.Main(ctx, os.Args[1:], app.Streams{
		Out: os.Stdout, Err: os.Stderr,
		TTY: terminal(os.Stdout), NoColour: os.Getenv("NO_COLOR") != "",
		Columns: func() int { return columns(os.Stdout) },
	}))
}

// terminal reports whether a file is a terminal, without asking the system for
// more than its mode.
func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}
