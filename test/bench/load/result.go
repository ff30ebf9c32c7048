package load

import (
	"context"
	"fmt"
	"time"
)

// Result is what a client saw in one round.
type Result struct {
	Requests int
	Seconds  float64
	// P50 and P99 are of a request's time, in microseconds.
	P50, P99 float64
	// Failed says what went wrong; it is empty for a good round.
	Failed string
}

// Run is one round of load.
type Run struct {
	// URL is http://localhost:PORT/PATH or https://...; for datagrams,
	// localhost:PORT.
	URL string
	// Paths are taken in turns in place of the URL's; nil leaves it.
	Paths []string
	// Headers are "Name: value".
	Headers []string
	// Body is a file that each request carries; empty sends none.
	Body string
	// Clients are connections, Streams the requests at a time on each.
	Clients, Streams int
	// Rate is requests a second in all; 0 is as many as can be.
	Rate     float64
	Duration time.Duration
	// Dir is for files of the client.
	Dir string
}

// Tool is a program and its environment.
type Tool struct {
	Path string
	Env  []string
}

// A Client puts one round of load on.
type Client func(context.Context, Run) (Result, error)

// grace is what a client gets beyond its duration before it is ended.
const grace = 30 * time.Second

func failed(n int, what string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d %s", n, what)
}
