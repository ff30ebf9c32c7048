package admin

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// Two dataplanes of one program share an address: each is there by its name, and
// both have to be ready.
func TestTwoDataplanesShareAnAddress(t *testing.T) {
	addr := free(t)
	var servers []*Server
	for _, name := range []string{"go", "envoy"} {
		s, err := Listen(t.Context(), addr, name, NewMetrics(nil, func() uint64 { return 0 }))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		s.metrics.Swapped()
		servers = append(servers, s)
	}
	servers[0].SetReady(true)
	if code, _ := get(t, addr, "/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("with one that is not ready: %d", code)
	}
	servers[1].SetReady(true)
	if code, _ := get(t, addr, "/readyz"); code != http.StatusOK {
		t.Errorf("with both ready: %d", code)
	}
	_, text := get(t, addr, "/metrics")
	for _, want := range []string{`sluice_proxy_table_swaps_total{dataplane="go"} 1`, `sluice_proxy_table_swaps_total{dataplane="envoy"} 1`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	servers[0].Close()
	if _, text = get(t, addr, "/metrics"); !strings.Contains(text, "sluice_proxy_table_swaps_total 1") {
		t.Errorf("the one that is left has a label, or is not there:\n%s", text)
	}
	servers[1].Close()
	s, err := Listen(t.Context(), addr, "go", NewMetrics(nil, func() uint64 { return 0 }))
	if err != nil {
		t.Fatal("the address is not free again:", err)
	}
	s.Close()
}

func free(t *testing.T) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).AddrPort()
}

func get(t *testing.T, addr netip.AddrPort, path string) (int, string) {
	t.Helper()
	r, err := http.Get("http://" + addr.String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}
