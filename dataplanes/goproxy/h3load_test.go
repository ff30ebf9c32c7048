package goproxy_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-gateway/sluice/ir"
)

// grpcMessage is a message as gRPC frames it.
func grpcMessage(t *testing.T, m proto.Message) []byte {
	t.Helper()
	body, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...)
}

// TestGRPCOverHTTP3 makes a call that is answered, one that fails, and one that
// goes to and fro.
func TestGRPCOverHTTP3(t *testing.T) {
	r := newH3Rig(t)
	r.https("a", "a.example", r.ca.issue("a", "a.example"))
	r.unit.Proxy.Routes[0].Kind = ir.GRPCRoute
	r.unit.Proxy.Routes[0].Rules[0].Backends = to(r.backend("grpc", ir.BackendH2C, serveGRPC(t, "one")))
	r.must()
	client := r.client3("a.example")
	for _, c := range []struct {
		ask  *pb.SimpleRequest
		want string
	}{
		{&pb.SimpleRequest{Payload: payload("hello")}, "0"},
		{&pb.SimpleRequest{ResponseStatus: &pb.EchoStatus{Code: 7, Message: "no"}}, "7"},
	} {
		got := do(t, client, grpcCall(t, "UnaryCall", bytes.NewReader(grpcMessage(t, c.ask))))
		// A call that fails at once says so in its header.
		status := got.trailer.Get("Grpc-Status") + got.header.Get("Grpc-Status")
		if got.status != 200 || status != c.want || c.want == "0" && got.trailer.Get("X-Trailer") != "one" {
			t.Errorf("got %+v, want grpc-status %s", got, c.want)
		}
	}
	body, say := io.Pipe()
	defer say.Close()
	message := grpcMessage(t, &pb.StreamingOutputCallRequest{Payload: payload("again")})
	// The answer begins with the first message's.
	go say.Write(message) //nolint:errcheck // Nothing comes back then.
	res, err := client.Do(grpcCall(t, "FullDuplexCall", body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer := make([]byte, len(grpcMessage(t, &pb.StreamingOutputCallResponse{Payload: payload("again")})))
	for i := range 3 {
		if i > 0 {
			if _, err := say.Write(message); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := io.ReadFull(res.Body, answer); err != nil || !bytes.Contains(answer, []byte("again")) {
			t.Fatalf("%q, %v", answer, err)
		}
	}
}

func grpcCall(t *testing.T, method string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://a.example/grpc.testing.TestService/"+method, struct{ io.Reader }{body})
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	return req
}

func ask3Once(client *http.Client) error {
	res, err := client.Post("https://a.example/", "text/plain", strings.NewReader("12345"))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != 200 || string(body) != "POST 5") {
		err = fmt.Errorf("%d %q", res.StatusCode, body)
	}
	return err
}

// TestSwapsLoseNothingOverHTTP3 changes routes, certificates, settings and other
// listeners under clients of HTTP/3 that keep their connection, and that do not.
func TestSwapsLoseNothingOverHTTP3(t *testing.T) {
	r := newH3Rig(t)
	r.unit.Proxy.Settings.Timeouts.Drain = ir.Duration(patience)
	first := *r.reflecting("a", "a.example")
	r.must()
	keep, tcp := r.client3("a.example"), r.client("a.example")
	l := &load{stop: make(chan struct{})}
	l.run(func() error { return ask3Once(keep) })
	l.run(func() error { return ask3Once(keep) })
	l.run(func() error { return ask3Once(tcp) })
	l.run(func() error {
		fresh := r.transport3("a.example")
		defer fresh.Close()
		return ask3Once(&http.Client{Transport: fresh, Timeout: patience})
	})
	certificates := []*ir.Certificate{r.ca.issue("one", "a.example"), r.ca.issue("two", "a.example")}
	routes := r.unit.Proxy.Routes
	for i := range 50 {
		next := first
		next.TLS = &ir.ListenerTLS{Mode: ir.Terminate, Certificates: []ir.CertificateKey{certificates[i%2].Key}}
		r.certificate(certificates[i%2])
		r.unit.Proxy.Listeners = []*ir.Listener{&next}
		if i%10 == 0 {
			r.unit.Proxy.Listeners = append(r.unit.Proxy.Listeners, &ir.Listener{
				Key: listenerKey("more"), Port: freePort(t), Protocol: ir.HTTPS, Hostname: "*", TLS: next.TLS,
			})
		}
		changed := *routes[0]
		rule := *changed.Rules[0]
		rule.Filters = []ir.Filter{{ResponseHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-Edit", Value: fmt.Sprint(i)}}}}}
		changed.Rules = []*ir.Rule{&rule}
		r.unit.Proxy.Routes = []*ir.Route{&changed}
		r.unit.Proxy.Settings.Timeouts.Idle = ir.Duration(time.Minute + time.Duration(i/10))
		r.must()
		edit := fmt.Sprint(i)
		if got := get(t, keep, "https://a.example/"); got.header.Get("X-Edit") != edit {
			t.Fatalf("edit %q is in force on an open connection, want %s", got.header.Get("X-Edit"), edit)
		}
	}
	l.end(t)
}

// TestAnnouncingCostsNothing compares requests over TLS with Alt-Svc and without.
func TestAnnouncingCostsNothing(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector pools forget on purpose")
	}
	cost := func(enabled bool) float64 {
		r := newTLSRig(t)
		r.log.discard = true
		r.unit.Proxy.Settings.HTTP3 = ir.HTTP3{Enabled: enabled, AltSvcMaxAge: ir.Duration(time.Hour)}
		r.https("a", "shop.example.com", r.ca.issue("a", "shop.example.com"))
		r.unit.Proxy.Routes[0].Rules[0].Backends = to(r.backend("same", ir.BackendHTTP1, sameAnswer(t)))
		r.must()
		c, err := tls.Dial("tcp", r.addr(), &tls.Config{ServerName: "shop.example.com", RootCAs: r.ca.pool(), MinVersion: tls.VersionTLS12})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		page, request := make([]byte, 4096), []byte(ordinaryRequest)
		once := func() {
			if _, err := c.Write(request); err != nil {
				t.Fatal(err)
			}
			n, err := io.ReadAtLeast(c, page, len("HTTP/1.1 200"))
			if err != nil || strings.Contains(string(page[:n]), "Alt-Svc: h3=") != enabled {
				t.Fatalf("%q, %v", page[:n], err)
			}
		}
		for range 1000 {
			once()
		}
		return testing.AllocsPerRun(3000, once)
	}
	if off, on := cost(false), cost(true); on > off {
		t.Errorf("%v allocations a request with Alt-Svc, %v without", on, off)
	}
}
