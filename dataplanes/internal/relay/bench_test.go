package relay_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/relay"
)

// apart is set in the process that relays for BenchmarkCPU: how it does it, and
// to where.
const apart = "SLUICE_RELAY_BENCH"

func TestMain(m *testing.M) {
	if how, to, ok := strings.Cut(os.Getenv(apart), " "); ok {
		relayApart(how, to)
		return
	}
	os.Exit(m.Run())
}

// relayApart relays connections until its standard input ends. It writes where it
// listens.
func relayApart(how, to string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(ln.Addr())
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", to)
			if err != nil {
				panic(err)
			}
			go relayOne(how, c.(*net.TCPConn), b.(*net.TCPConn))
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func relayOne(how string, client, backend *net.TCPConn) {
	switch how {
	case "relay":
		relay.Run(relay.Job{Client: client, Backend: backend, Idle: time.Minute})
		return
	case "copy":
		go func() { copyLarge(client, backend); _ = client.CloseWrite() }()
		copyLarge(backend, client)
		_ = backend.CloseWrite()
		return
	}
	// net.TCPConn splices by itself.
	go func() { _, _ = client.ReadFrom(backend); _ = client.CloseWrite() }()
	_, _ = backend.ReadFrom(client)
	_ = backend.CloseWrite()
}

// copyLarge copies by way of one large buffer.
func copyLarge(to, from *net.TCPConn) {
	buffer := make([]byte, 256<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// BenchmarkCPU compares what moving bytes costs the process that moves them, by
// this package, by buffers of 256 KiB and by splice: CPU seconds per GiB, client,
// relay and backend being on one machine.
func BenchmarkCPU(b *testing.B) {
	for _, how := range []string{"relay", "copy", "splice"} {
		b.Run(how, func(b *testing.B) { benchmarkCPU(b, how) })
	}
}

func benchmarkCPU(b *testing.B, how string) {
	b.Helper()
	sink, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer sink.Close()
	go drainAll(sink)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), apart+"="+how+" "+sink.Addr().String(), "GOMAXPROCS=1")
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	var address string
	if _, err := fmt.Fscan(out, &address); err != nil {
		b.Fatal(err)
	}
	const piece = 256 << 20
	page := make([]byte, 1<<20)
	b.SetBytes(piece)
	for b.Loop() {
		c, err := net.Dial("tcp", address)
		if err != nil {
			b.Fatal(err)
		}
		for range piece / len(page) {
			if _, err := c.Write(page); err != nil {
				b.Fatal(err)
			}
		}
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
		c.Close()
	}
	in.Close()
	_ = cmd.Wait()
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	b.ReportMetric(used.Seconds()*4/float64(b.N), "cpu-s/GiB")
}

func drainAll(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(io.Discard, c)
			_ = c.(*net.TCPConn).CloseWrite()
			c.Close()
		}()
	}
}
