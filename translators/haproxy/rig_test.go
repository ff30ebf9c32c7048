package haproxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/order"
)

// rig is one HAProxy whose ports say where a request would be led, by rows that can
// be replaced.
type rig struct {
	dir string
	pid int
	at  map[uint16]netip.AddrPort
}

// startRig starts HAProxy with the look-ups of some ports. They are those of a unit with
// wildcards, whatever is loaded later.
func startRig(t testing.TB, ports ...uint16) *rig {
	t.Helper()
	r := &rig{dir: t.TempDir(), at: map[uint16]netip.AddrPort{}}
	config := Translate(&ir.Unit{Proxy: &ir.Proxy{}}, somewhere(), nil)
	text := "global\n  stats socket unix@admin.sock mode 600 level admin\n  lua-load-per-thread " + decideScript + "\n  nbthread 2\n  tune.bufsize 131072\n" +
		"defaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n" + rolling().Text()
	for _, port := range ports {
		r.at[port] = loopback(t)
		wild := &order.Port{Port: port, Listeners: []*order.Listener{{Listener: &ir.Listener{Hostname: "*.a"}}}}
		text += fmt.Sprintf("frontend f%d\n  bind %s\n  http-request set-var(txn.host) req.hdr(x-host)\n  http-request set-var(txn.path) req.hdr(x-path)\n", port, r.at[port])
		for _, line := range config.lookup(wild) {
			// What a look-up has found may be of rows that are gone: tests say what.
			for _, name := range []string{"at", "to"} {
				if before := map[string]string{"at": "concat(" + wholePath, "to": "lua.decide"}[name]; strings.Contains(line, before) {
					text += "  http-request set-var(txn." + name + ") req.hdr(x-" + name + ") if { req.hdr(x-" + name + ") -m found }\n"
				}
			}
			if !strings.HasPrefix(line, "use_backend") && !strings.HasPrefix(line, "default_backend") {
				text += "  " + line + "\n"
			}
		}
		text += "  http-request return status 200 content-type text/plain lf-string %[" + varListener + "]|%[var(txn.to)]\n"
	}
	write(t, filepath.Join(r.dir, RoutesMap), "")
	write(t, filepath.Join(r.dir, decideScript), decideText())
	write(t, filepath.Join(r.dir, "haproxy.cfg"), text)
	r.start(t)
	// Sockets with a name have it last.
	waitFor(t, "reached by commands", func() bool { _, err := os.Stat(filepath.Join(r.dir, AdminSocket)); return err == nil })
	return r
}

func loopback(t testing.TB) netip.AddrPort {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", netip.AddrPortFrom(somewhere().Address, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return netip.MustParseAddrPort(l.Addr().String())
}

func (r *rig) start(t testing.TB) {
	t.Helper()
	cmd := exec.Command(program(t), "-db", "-C", r.dir, "-f", "haproxy.cfg") //nolint:gosec // Whoever runs the tests says which.
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.pid = cmd.Process.Pid
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	// Its sockets do not all come at once.
	var doors [][2]string
	for _, at := range r.at {
		doors = append(doors, [2]string{"tcp", at.String()})
	}
	for _, door := range doors {
		for {
			connection, err := (&net.Dialer{}).DialContext(t.Context(), door[0], door[1])
			if err == nil {
				_ = connection.Close()
				break
			}
			select {
			case <-ended:
				t.Fatalf("HAProxy has ended: %s", said.String())
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
}

// fails is what ends a test: *testing.T and *rapid.T.
type fails interface {
	Helper()
	Fatalf(format string, args ...any)
}

// command says something to HAProxy.
func (r *rig) command(t fails, text string) string {
	t.Helper()
	connection, err := net.Dial("unix", filepath.Join(r.dir, AdminSocket)) //nolint:noctx // It is on this machine.
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer func() { _ = connection.Close() }()
	_ = connection.SetDeadline(time.Now().Add(answersWithin))
	if _, err := io.WriteString(connection, text+"\n"); err != nil {
		t.Fatalf("%v", err)
	}
	said, err := io.ReadAll(connection)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return strings.TrimSpace(string(said))
}

// load has rows take the place of all that are there, as dataplanes do.
func (r *rig) load(t fails, config *Config) {
	t.Helper()
	version := r.prepare(t)
	r.add(t, version, config)
	if said := r.command(t, "commit map @"+version+" "+RoutesMap); said != "" {
		t.Fatalf("commit map: %s", said)
	}
}

// prepare begins another version of the rows.
func (r *rig) prepare(t fails) (version string) {
	t.Helper()
	said := r.command(t, "prepare map "+RoutesMap)
	return said[strings.LastIndex(said, " ")+1:]
}

// add adds rows to a version.
func (r *rig) add(t fails, version string, config *Config) {
	t.Helper()
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			if said := r.command(t, "add map @"+version+" "+RoutesMap+" <<\n"+b.String()); said != "" {
				t.Fatalf("add map: %s\n%s", said, b.String())
			}
		}
		b.Reset()
	}
	for row := range config.Rows() {
		if b.Len()+len(row.Key)+len(row.Value) > 16000 {
			flush()
		}
		b.WriteString(row.Key + " " + row.Value + "\n")
	}
	flush()
}

// answersWithin is when a test says that HAProxy does not answer.
const answersWithin = 30 * time.Second

// asking is one connection to a port.
type asking struct {
	connection net.Conn
	reader     *bufio.Reader
}

func (r *rig) dial(t fails, port uint16) *asking {
	t.Helper()
	connection, err := net.Dial("tcp", r.at[port].String()) //nolint:noctx // It is on this machine.
	if err != nil {
		t.Fatalf("%v", err)
	}
	return &asking{connection, bufio.NewReader(connection)}
}

// ask says where a request is led: "listener|section|tag|length", or the status where
// that is not 200.
func (a *asking) ask(t fails, q order.Request) string {
	t.Helper()
	_ = a.connection.SetDeadline(time.Now().Add(answersWithin))
	if _, err := io.WriteString(a.connection, spelled(q)); err != nil {
		t.Fatalf("%v", err)
	}
	return a.answer(t)
}

func (a *asking) answer(t fails) string {
	t.Helper()
	response, err := http.ReadResponse(a.reader, nil)
	if err != nil {
		t.Fatalf("%v", err)
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		t.Fatalf("%v", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Sprint(response.StatusCode)
	}
	return string(body)
}

// spelled is a request whose host and path have been read already.
func spelled(q order.Request) string {
	var b strings.Builder
	target := "/"
	if q.Query != "" {
		target += "?" + q.Query
	}
	_, _ = fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: any\r\nContent-Length: 0\r\nX-Host: %s\r\nX-Path: %s\r\n", q.Method, target, q.Host, q.Path)
	for _, h := range q.Headers {
		_, _ = fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	return b.String() + "\r\n"
}
