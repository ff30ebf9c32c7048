package haproxy_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/rig"
	"github.com/sluice-gateway/sluice/ir"
)

// A client of HTTP/3 whose connection no process knows any more is told so, and does
// not wait for what never comes.
func TestConnectionsOfHTTP3ThatNobodyKnows(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	r.Unit.Proxy.Settings.HTTP3 = ir.HTTP3{Enabled: true}
	port := rig.FreePort(t)
	r.secure(port, "quic", "a.example")
	r.Route("quic", "/", &ir.Rule{Backends: rig.To(r.Backend("one", rig.Named(t, "one")))})
	r.Unit.Proxy.Routes[0].Attachments[0].Hostnames = []string{"a.example"}
	r.Must()
	transport := &http3.Transport{TLSClientConfig: &tls.Config{ServerName: "a.example", InsecureSkipVerify: true}} //nolint:gosec // Its certificate was made on the spot.
	defer transport.Close()
	ask := func() (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d/", port), nil)
		if err != nil {
			return "", err
		}
		request.Host = "a.example"
		response, err := transport.RoundTrip(request)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return string(body), err
	}
	if got, err := ask(); got != "one" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	kill(t, r.worker())
	r.Until("that the worker ended", func(o dataplanes.Outcome) bool { return o.Down })
	r.Until("that it serves again", func(o dataplanes.Outcome) bool { return len(o.Problems) == 0 && !o.Down })
	if got, err := ask(); err == nil {
		t.Logf("the client has tried again: %q", got)
	} else if _, told := errors.AsType[*quic.StatelessResetError](err); !told {
		t.Errorf("the client was told nothing: %v", err)
	}
	if got, err := ask(); got != "one" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
