package envoy_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/rig"
	"github.com/sluice-gateway/sluice/ir"
)

// TestMalformedRequestsEndThemselvesAlone: behind a proxy, one connection of HTTP/2
// has the requests of many clients.
func TestMalformedRequestsEndThemselvesAlone(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	at := r.Listen("http")
	come, goOn := make(chan struct{}), make(chan struct{})
	slow := rig.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
		close(come)
		<-goOn
		_, _ = io.WriteString(w, "done")
	})
	r.Route("http", "/", &ir.Rule{Backends: rig.To(r.Backend("slow", slow))})
	r.Must()

	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	_, _ = io.WriteString(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	_ = framer.WriteSettings()
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block("/"), EndStream: true, EndHeaders: true})
	<-come
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: block("/a b"), EndStream: true, EndHeaders: true})
	for reset, answered := false, false; !answered; {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatalf("the connection ended: %v", err)
		}
		switch frame := frame.(type) {
		case *http2.RSTStreamFrame:
			if frame.StreamID != 3 {
				t.Fatalf("stream %d was reset", frame.StreamID)
			}
			reset = true
			close(goOn)
		case *http2.DataFrame:
			answered = reset && frame.StreamID == 1 && string(frame.Data()) == "done"
		}
	}
}

// block is the header of a request for a path.
func block(path string) []byte {
	var b bytes.Buffer
	encoder := hpack.NewEncoder(&b)
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "a.example"}, {":path", path}} {
		_ = encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	return b.Bytes()
}
