package rig

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"syscall"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"
)

// Named answers its name, whatever is asked.
func Named(t testing.TB, name string) string {
	t.Helper()
	return Serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) })
}

// Refusing is an endpoint that nobody can be connected to: its port is taken, so that no
// other test gets it, and nobody listens there.
func Refusing(t testing.TB) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: Loopback.As4()}); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s:%d", Loopback, at.(*syscall.SockaddrInet4).Port)
}

// Serve starts a backend and returns its address.
func Serve(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// handedOut are the ports of this process's tests. A port that was given twice could
// make a proxy its own backend.
var handedOut sync.Map

// FreePort returns a port below those that the system gives to connections.
func FreePort(t testing.TB) uint16 {
	t.Helper()
	for range 1000 {
		port := uint16(12000 + rand.IntN(20000))
		if _, taken := handedOut.LoadOrStore(port, true); taken {
			continue
		}
		at := netip.AddrPortFrom(Loopback, port)
		ln, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
		if err != nil {
			continue
		}
		ln.Close()
		// HTTP/3 wants the port's other half.
		if datagrams, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at)); err == nil {
			datagrams.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// Ask returns status and body of an answer, over a connection of its own.
func Ask(t testing.TB, url string) (int, string) {
	t.Helper()
	status, body, err := Try(t, url)
	if err != nil {
		t.Fatal(err)
	}
	return status, body
}

// Try is Ask for what may fail.
func Try(t testing.TB, url string) (int, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

// WantAnswer asks, and wants a status and, where it is not empty, a body.
func WantAnswer(t testing.TB, url string, status int, body string) {
	t.Helper()
	if gotStatus, gotBody := Ask(t, url); gotStatus != status || body != "" && gotBody != body {
		t.Errorf("%s: %d %q, want %d %q", url, gotStatus, gotBody, status, body)
	}
}

// AwaitAnswer waits until an answer comes that is as it should be.
func AwaitAnswer(t testing.TB, url string, status int) {
	t.Helper()
	wait.For(t, fmt.Sprintf("%s answers %d", url, status), func() bool {
		got, _, err := Try(t, url)
		return err == nil && got == status
	})
}
