package haproxy_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"
	"github.com/sluice-gateway/sluice/ir"
)

// The access log says what a connection speaks, and not what a request says of itself:
// a client could count as one of HTTP/2, or make up what nobody has heard of.
func TestClientsDoNotNameTheProtocol(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	r.unit.Proxy.Settings.AccessLog.Enabled = true
	addr := r.listen("http")
	r.route("http", "/", &ir.Rule{Backends: to(r.backend("one", named(t, "one")))})
	r.must()
	versions := []string{"0.7", "1.0", "1.9", "2.0", "3.1", "9.9"}
	for _, version := range versions {
		conn, err := net.DialTimeout("tcp", addr, patience)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = fmt.Fprintf(conn, "GET / HTTP/%s\r\nHost: a.example\r\nConnection: close\r\n\r\n", version)
		_, _ = io.ReadAll(conn)
		_ = conn.Close()
	}
	wait.For(t, "a line for each", func() bool { return strings.Count(r.log.String(), "\n") >= len(versions) })
	if said := r.log.String(); strings.Count(said, `"protocol":"HTTP/1"`) != len(versions) {
		t.Errorf("the access log says\n%s", said)
	}
}
