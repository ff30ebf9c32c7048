package goproxy_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/sluice-gateway/sluice/ir"
)

// leakRig has a way in of every kind.
type leakRig struct {
	*tlsRig
	web, tcp, deadTCP, udp, header string
}

func newLeakRig(t *testing.T) *leakRig {
	t.Helper()
	r := &leakRig{tlsRig: newTLSRig(t)}
	r.unit.Proxy.Settings.Timeouts.Stall = ir.Duration(patience)
	r.unit.Proxy.Settings.ProxyProtocol = ir.ProxyProtocol{Trusted: []string{"127.0.0.0/8"}, HeaderTimeout: ir.Duration(patience)}
	r.header = r.listen("header")
	_, port, _ := net.SplitHostPort(r.header)
	var number uint16
	fmt.Sscan(port, &number)
	r.unit.Proxy.Settings.ProxyProtocol.Ports = []uint16{number}
	r.web = r.listen("web")
	for path, backend := range map[string]string{
		"/": odds(t), "/ws": echoSocket(t), "/dead": dead(t),
	} {
		for _, l := range []string{"web", "header"} {
			key := r.backend(l+path, ir.BackendHTTP1, backend)
			r.unit.Proxy.Backends[len(r.unit.Proxy.Backends)-1].Balancing = ir.Balancing{Algorithm: ir.LeastRequest}
			r.route(l, &ir.Rule{Backends: to(key), Matches: []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: path}}}})
		}
	}
	r.route("web", &ir.Rule{
		Backends: to(r.backend("h2c", ir.BackendH2C, odds(t))), Matches: []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: "/h2c"}}},
	})
	r.route("web", &ir.Rule{
		Backends: to(r.backend("retried", ir.BackendHTTP1, odds(t))), Matches: []ir.Match{{Path: ir.PathMatch{Kind: ir.Prefix, Value: "/503"}}},
		Retry: &ir.Retry{Codes: []int{503}, Attempts: 2},
	})
	r.https("secure", "secure.example", r.ca.issue("secure", "secure.example"))
	r.tlsListener("pass", "pass.example", ir.Passthrough, r.backend("pass", ir.BackendTCP, r.tlsBackend("passed", "pass.example")))
	r.tlsListener("end", "end.example", ir.Terminate, r.backend("end", ir.BackendTCP, streamBackend(t, "ended")))
	r.unit.Proxy.Settings.HTTP3 = ir.HTTP3{Enabled: true, AltSvcMaxAge: ir.Duration(time.Hour)}
	r.tcp = r.layer4("tcp", ir.TCP, 0)
	r.carry(ir.TCPRoute, "tcp", nil, to(r.backend("tcp", ir.BackendTCP, streamBackend(t, "tcp")))...)
	r.deadTCP = r.layer4("deadtcp", ir.TCP, 0)
	r.carry(ir.TCPRoute, "deadtcp", nil, to(r.backend("deadtcp", ir.BackendTCP, dead(t)))...)
	r.udp = r.layer4("udp", ir.UDP, 0)
	r.carry(ir.UDPRoute, "udp", nil, to(r.backend("udp", ir.BackendUDP, datagramBackend(t, "udp")))...)
	r.must()
	return r
}

// odds is a backend that does what its path says.
func odds(t *testing.T) string {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, q *http.Request) {
		switch path := q.URL.Path; {
		case strings.HasSuffix(path, "503"):
			w.WriteHeader(503)
		case strings.HasSuffix(path, "hang"):
			<-q.Context().Done()
		case strings.HasSuffix(path, "break"):
			panic(http.ErrAbortHandler)
		case strings.HasSuffix(path, "half"):
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case strings.HasSuffix(path, "endless"):
			_ = writeEndlessly(w)
		case strings.HasSuffix(path, "read"):
			_, _ = io.Copy(io.Discard, q.Body)
		default:
			fmt.Fprint(w, "ok")
		}
	})
}

// rude writes to a new connection, reads a little and leaves.
func (r *leakRig) rude(addr, text string, readSome int) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		r.t.Error(err)
		return
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(c, text)
	if readSome > 0 {
		_, _ = io.ReadAtLeast(c, make([]byte, 4096), readSome)
	}
}

func (r *leakRig) shake(sni string, protos ...string) (*tls.Conn, error) {
	return tls.Dial("tcp", r.addr(), &tls.Config{ServerName: sni, RootCAs: r.ca.pool(), NextProtos: protos})
}

func (r *leakRig) share(name string) string {
	for line := range strings.Lines(r.metrics(r.t.(*testing.T))) {
		if rest, ok := strings.CutPrefix(line, `sluice_proxy_share_used{share="`+name+`"} `); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "none"
}

const getHead = " HTTP/1.1\r\nHost: x\r\n"

// paths are the ways in which something can begin and end.
func (r *leakRig) paths() map[string]func(*testing.T) {
	t := r.t.(*testing.T)
	plainClient, prior := plain(t), h2c(t)
	ask := func(c *http.Client, method, url, body string) {
		q, _ := http.NewRequest(method, url, struct{ io.Reader }{strings.NewReader(body)})
		if body == "" {
			q.Body = nil
		}
		if res, err := c.Do(q); err == nil {
			_, _ = io.CopyN(io.Discard, res.Body, 1<<16)
			res.Body.Close()
		}
	}
	m := map[string]func(*testing.T){}
	for name, text := range map[string]string{
		"get":       "GET /" + getHead + "Connection: close\r\n\r\n",
		"retried":   "GET /503" + getHead + "Connection: close\r\n\r\n",
		"tape":      "POST /503" + getHead + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
		"none":      "GET /dead" + getHead + "Connection: close\r\n\r\n",
		"break":     "GET /break" + getHead + "Connection: close\r\n\r\n",
		"half":      "GET /half" + getHead + "\r\n",
		"endless":   "GET /endless" + getHead + "\r\n",
		"malformed": "GET /\x00" + getHead + "\r\n",
		"unread":    "POST /" + getHead + "Content-Length: 1000000\r\n\r\nabc",
		"refusedws": "GET /" + getHead + "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
		"rudews":    "GET /ws" + getHead + "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
	} {
		m[name] = func(*testing.T) { r.rude(r.web, text, 12) }
		m["proxied "+name] = func(*testing.T) { r.rude(r.header, "PROXY TCP4 192.0.2.7 192.0.2.8 1234 80\r\n"+text, 12) }
	}
	for name, text := range map[string]string{
		"nothing": "", "part of a head": "GET / HT", "hang": "GET /hang" + getHead + "\r\n", "h2 preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"body that breaks off": "POST /read" + getHead + "Content-Length: 1000000\r\n\r\nabc",
	} {
		m[name] = func(*testing.T) { r.rude(r.web, text, 0) }
	}
	m["no PROXY header"] = func(*testing.T) { r.rude(r.header, "GET /"+getHead+"\r\n", 1) }
	m["no hello"] = func(*testing.T) { r.rude(r.addr(), "GET /"+getHead+"\r\n", 1) }
	m["part of a hello"] = func(*testing.T) { r.rude(r.addr(), "\x16\x03\x01", 0) }
	m["keep-alive"] = func(*testing.T) { ask(plainClient, "POST", "http://"+r.web+"/read", "body") }
	m["keep-alive endless"] = func(*testing.T) { ask(plainClient, "GET", "http://"+r.web+"/endless", "") }
	for _, path := range []string{"/", "/503", "/read", "/endless", "/break", "/half", "/dead", "/h2c", "/h2c/break", "/h2c/endless", "/h2c/read"} {
		m["h2c "+path] = func(*testing.T) { ask(prior, "POST", "http://"+r.web+path, "body") }
	}
	m["h2c fresh"] = func(t *testing.T) {
		t.Helper()
		c := h2c(t)
		ask(c, "GET", "http://"+r.web+"/", "")
		c.CloseIdleConnections()
	}
	m["websocket"] = func(t *testing.T) {
		t.Helper()
		c := dialSocket(t, r.web+"/ws")
		say(t, c, "hi")
		_ = c.CloseNow()
	}
	for _, sni := range []string{"secure.example", "pass.example", "end.example", "nobody.example"} {
		for _, proto := range []string{"h2", "http/1.1"} {
			protos := []string{proto}
			if sni != "secure.example" {
				protos = nil
			}
			m["tls "+sni+" "+proto] = func(*testing.T) {
				if c, err := r.shake(sni, protos...); err == nil {
					if proto == "http/1.1" {
						_, _ = io.WriteString(c, "GET /"+getHead+"\r\n")
						_, _ = io.ReadAtLeast(c, make([]byte, 100), 3)
					}
					c.Close()
				}
			}
		}
	}
	http3 := r.client3("secure.example")
	m["h3"] = func(*testing.T) { ask(http3, "GET", "https://secure.example/", "") }
	m["h3 fresh"] = func(*testing.T) {
		fresh := r.transport3("secure.example")
		ask(&http.Client{Transport: fresh, Timeout: patience}, "GET", "https://secure.example/", "")
		fresh.Close()
	}
	m["tcp"] = func(*testing.T) { r.rude(r.tcp, "x", 5) }
	m["tcp reset"] = func(*testing.T) {
		if c, err := net.Dial("tcp", r.tcp); err == nil {
			_, _ = io.WriteString(c, "x")
			_ = c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
	}
	m["tcp to nobody"] = func(*testing.T) { r.rude(r.deadTCP, "x", 1) }
	m["udp"] = func(t *testing.T) {
		t.Helper()
		c, err := net.Dial("udp", r.udp)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		_, _ = c.Write([]byte("x"))
		_, _ = c.Read(make([]byte, 100))
	}
	return m
}

// TestNothingLeaks begins and ends a hundred of everything that takes a place,
// while tables and servers are swapped, and wants every place back.
func TestNothingLeaks(t *testing.T) {
	const times, atOnce = 100, 16
	r := newLeakRig(t)
	for name, once := range r.paths() {
		t.Run(name, func(t *testing.T) {
			work := make(chan int)
			var all sync.WaitGroup
			for range atOnce {
				all.Go(func() {
					for range work {
						once(t)
					}
				})
			}
			for n := range times {
				work <- n
				if n%(times/2) == 0 {
					r.unit.Proxy.Settings.Timeouts.Idle += ir.Duration(time.Second)
					r.must()
				}
			}
			close(work)
			all.Wait()
		})
	}
	for _, share := range []string{"requests", "opening"} {
		wait.For(t, "no "+share, func() bool { return r.share(share) == "0" })
	}
	wait.For(t, "no active requests", func() bool { return strings.Contains(r.metrics(t), "sluice_proxy_active_requests 0") })
	r.leavesNoneBusy(t)
	r.leavesNothingOpen(t)
}

// leavesNoneBusy gives a backend of LeastRequest a second endpoint. If the first
// were still counted as busy, nothing would go there any more.
func (r *leakRig) leavesNoneBusy(t *testing.T) {
	t.Helper()
	key := ir.EndpointsKey{Namespace: "apps", Service: "web/", Port: 80}
	first := r.unit.Endpoints[slices.IndexFunc(r.unit.Endpoints, func(e *ir.Endpoints) bool { return e.Key == key })].Endpoints[0]
	r.endpoints(key, fmt.Sprintf("%s:%d", first.Address, first.Port), named(t, "second"))
	r.must()
	seen := map[string]int{}
	for range 200 {
		seen[get(t, plain(t), "http://"+r.web+"/").body]++
	}
	if seen["ok"] < 50 || seen["second"] < 50 {
		t.Errorf("of 200 requests the endpoints got %v", seen)
	}
}

// leavesNothingOpen takes everything away while something of each kind is open.
func (r *leakRig) leavesNothingOpen(t *testing.T) {
	t.Helper()
	socket := dialSocket(t, r.web+"/ws")
	say(t, socket, "hi")
	greeting(t, dial(t, r.tcp))
	answered(t, datagramClient(t, r.udp), "hi")
	if c, err := r.shake("end.example"); err == nil {
		defer c.Close()
	}
	if _, err := r.dialQUIC("secure.example"); err != nil {
		t.Error(err)
	}
	half := dial(t, r.web)
	_, _ = io.WriteString(half, "GET /endless"+getHead+"\r\n")
	_, _ = half.Read(make([]byte, 10))
	r.unit.Proxy.Listeners, r.unit.Proxy.Routes, r.unit.Proxy.Backends = nil, nil, nil
	r.must()
	for _, share := range []string{"requests", "clients", "opening", "udp_sessions", "idle_backends"} {
		wait.For(t, "no "+share, func() bool { return r.share(share) == "0" })
	}
	for _, gauge := range []string{"sluice_proxy_connections{", "sluice_proxy_active_streams{", "sluice_proxy_active_requests "} {
		for line := range strings.Lines(r.metrics(t)) {
			if strings.HasPrefix(line, gauge) && !strings.HasSuffix(line, " 0\n") {
				t.Errorf("at the end: %s", line)
			}
		}
	}
}
