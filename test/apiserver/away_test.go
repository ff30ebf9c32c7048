package apiserver

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
)

// wire is the way to the API server, which a test can cut.
type wire struct {
	mu     sync.Mutex
	cut    bool
	open   map[net.Conn]bool
	tries  int
	target string
}

// wired returns a way to the server.
func (s *server) wired() (*wire, *rest.Config) {
	s.t.Helper()
	target, err := url.Parse(s.config.Host)
	if err != nil || target.Host == "" {
		target = &url.URL{Host: s.config.Host}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	s.t.Cleanup(func() { _ = listener.Close() })
	w := &wire{open: map[net.Conn]bool{}, target: target.Host}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go w.serve(conn)
		}
	}()
	config := rest.CopyConfig(s.config)
	config.Host = "https://" + listener.Addr().String()
	return w, config
}

func (w *wire) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	if !w.admit(conn) {
		return
	}
	far, err := net.Dial("tcp", w.target)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	go func() {
		_, _ = io.Copy(far, conn)
		_ = far.Close()
	}()
	_, _ = io.Copy(conn, far)
}

func (w *wire) admit(conn net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		w.tries++
		return false
	}
	w.open[conn] = true
	return true
}

// set cuts every connection and lets none through, or lets them through again.
func (w *wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	for conn := range w.open {
		if cut {
			_ = conn.Close()
			delete(w.open, conn)
		}
	}
}

func (w *wire) tried() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tries
}

// An API server that goes away and comes back costs nothing but time.
func TestServerAway(t *testing.T) {
	s := newServer(t)
	s.install(crds(t, "experimental")...)
	w, config := s.wired()
	w.set(true)
	o := s.operate(t, settings{config: config})
	until(t, "it asks for the server", func() bool { return w.tried() > 3 })
	gw := gateway("main")
	s.create(class(), gw, service("web"))
	w.set(false)
	until(t, "it begins", func() bool { return holds(get(s, gw).Status.Conditions, "Programmed", 1) })
	w.set(true)
	before, r := w.tried(), route("a", "main")
	s.create(r)
	until(t, "it misses the server", func() bool { return w.tried() > before+3 })
	w.set(false)
	until(t, "it goes on", func() bool { return accepted(s, r) && attached(s, gw) == 1 })
	if n := len(o.last.get().Units); n != 1 {
		t.Errorf("%d units", n)
	}
}
