package listen_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/goproxy/listen"
)

// TestSlowReadersAreGivenUp has a client that takes something in every stall, and
// too little: a port without a least amount would write to it for ever.
func TestSlowReadersAreGivenUp(t *testing.T) {
	ended := make(chan error, 1)
	_, addr := bound(t, newObserver(), &listen.Port{
		Stall: 400 * time.Millisecond, Least: 1 << 30,
		Serve: func(c net.Conn) {
			go func() {
				defer c.Close()
				piece := make([]byte, 1<<20)
				for {
					if _, err := c.Write(piece); err != nil {
						ended <- err
						return
					}
				}
			}()
		},
	})
	c := dial(t, addr)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("given up for %v", err)
			}
			return
		case <-tick.C:
			if _, err := io.CopyN(io.Discard, c, 4<<10); err != nil {
				t.Fatal(err)
			}
		}
	}
}
