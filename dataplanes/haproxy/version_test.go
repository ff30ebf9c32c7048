package haproxy_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"
	"github.com/sluice-gateway/sluice/dataplanes/rig"
	"github.com/sluice-gateway/sluice/ir"
)

// The access log says what a connection speaks, and not what a request says of itself:
// a client could count as one of HTTP/2, or make up what nobody has heard of.
func TestClientsDoNotNameTheProtocol(t *testing.T) {
	log := &lines{}
	r := newRig(t, dataplanes.Options{AccessLog: log})
	r.Unit.Proxy.Settings.AccessLog.Enabled = true
	addr := r.Listen("http")
	r.Route("http", "/", &ir.Rule{Backends: rig.To(r.Backend("one", rig.Named(t, "one")))})
	r.Must()
	versions := []string{"0.7", "1.0", "1.9", "2.0", "3.1", "9.9"}
	for _, version := range versions {
		conn, err := net.DialTimeout("tcp", addr, rig.Patience)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(rig.Patience))
		_, _ = fmt.Fprintf(conn, "GET / HTTP/%s\r\nHost: a.example\r\nConnection: close\r\n\r\n", version)
		_, _ = io.ReadAll(conn)
		_ = conn.Close()
	}
	wait.For(t, "a line for each", func() bool { return strings.Count(log.String(), "\n") >= len(versions) })
	if said := log.String(); strings.Count(said, `"protocol":"HTTP/1"`) != len(versions) {
		t.Errorf("the access log says\n%s", said)
	}
}

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}
