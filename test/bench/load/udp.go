package load

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/test/bench/stat"
)

// UDP sends datagrams and waits for each to come back, on as many sockets as
// there are clients. One that has not in a second is lost.
func UDP(ctx context.Context, r Run) (Result, error) {
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		times []float64
		lost  int
		fault error
	)
	end := time.Now().Add(r.Duration)
	for range r.Clients {
		group.Go(func() {
			mine, missing, err := pingPong(ctx, r.URL, end)
			mu.Lock()
			defer mu.Unlock()
			times, lost, fault = append(times, mine...), lost+missing, errors.Join(fault, err)
		})
	}
	group.Wait()
	out := Result{
		Requests: len(times), Seconds: r.Duration.Seconds(),
		P50: stat.Percentile(times, .5), P99: stat.Percentile(times, .99), Failed: failed(lost, "datagrams lost"),
	}
	if out.Requests == 0 {
		out.Failed = "no datagram came back"
	}
	return out, fault
}

func pingPong(ctx context.Context, address string, end time.Time) (times []float64, lost int, err error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", address)
	if err != nil {
		return nil, 0, err
	}
	defer conn.Close()
	buf := make([]byte, 128)
	for {
		from := time.Now()
		if from.After(end) || ctx.Err() != nil {
			return times, lost, nil
		}
		conn.SetDeadline(from.Add(time.Second))
		if _, err := conn.Write(buf[:64]); err != nil {
			return times, lost, err
		}
		switch _, err := conn.Read(buf); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			lost++
		case err != nil:
			return times, lost, err
		default:
			times = append(times, float64(time.Since(from).Nanoseconds())/1e3)
		}
	}
}
