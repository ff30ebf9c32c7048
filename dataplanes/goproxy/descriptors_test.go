//go:build unix

package goproxy_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"
)

// TestDatagramsLeavePlacesToOthers has more clients of UDP than the process may
// have clients.
func TestDatagramsLeavePlacesToOthers(t *testing.T) {
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = 1024
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	r, addr, _ := udpRig(t, datagramBackend(t, "a"))
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	const sessions, clients = 172, 345
	for n := range clients + 10 {
		c := datagramClient(t, addr)
		if n < sessions {
			answered(t, c, "in")
			continue
		}
		_, _ = c.Write([]byte("out"))
	}
	if got := get(t, plain(t), "http://"+addr+"/"); got.body != "web" {
		t.Errorf("a client of TCP beside them: %+v", got)
	}
	wait.For(t, "the others to be dropped", func() bool {
		return strings.Contains(r.metrics(t), `reason="overloaded"} `+fmt.Sprint(clients+10-sessions))
	})
}
