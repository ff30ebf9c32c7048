package haproxy_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"
	"github.com/sluice-gateway/sluice/dataplanes/rig"
	"github.com/sluice-gateway/sluice/ir"
)

// quicRig serves HTTP/3 by one rule, and returns its port.
func quicRig(t *testing.T) (*plane, uint16) {
	t.Helper()
	r := newRig(t, dataplanes.Options{})
	r.Unit.Proxy.Settings.HTTP3 = ir.HTTP3{Enabled: true}
	port := rig.FreePort(t)
	r.secure(port, "quic", "a.example")
	r.Route("quic", "/", &ir.Rule{Backends: rig.To(r.Backend("one", rig.Named(t, "one")))})
	r.Unit.Proxy.Routes[0].Attachments[0].Hostnames = []string{"a.example"}
	return r, port
}

// quicClient trusts whatever certificate it is shown.
func quicClient(t *testing.T) *http3.Transport {
	t.Helper()
	client := &http3.Transport{TLSClientConfig: &tls.Config{ServerName: "a.example", InsecureSkipVerify: true}} //nolint:gosec // Its certificate was made on the spot.
	t.Cleanup(func() { client.Close() })
	return client
}

func askQUIC(t *testing.T, client *http3.Transport, port uint16) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d/", port), nil)
	if err != nil {
		return "", err
	}
	request.Host = "a.example"
	response, err := client.RoundTrip(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// A client of HTTP/3 whose connection no process knows any more is told so, and does
// not wait for what never comes.
func TestConnectionsOfHTTP3ThatNobodyKnows(t *testing.T) {
	r, port := quicRig(t)
	r.Must()
	client := quicClient(t)
	if got, err := askQUIC(t, client, port); got != "one" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	kill(t, r.worker())
	r.Until("that the worker ended", func(o dataplanes.Outcome) bool { return o.Down })
	r.Until("that it serves again", func(o dataplanes.Outcome) bool { return len(o.Problems) == 0 && !o.Down })
	if got, err := askQUIC(t, client, port); err == nil {
		t.Logf("the client has tried again: %q", got)
	} else if !wasReset(err) {
		t.Errorf("the client was told nothing: %v", err)
	}
	if got, err := askQUIC(t, client, port); got != "one" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// halting sends the first datagrams of a client, and keeps those behind them until it
// goes on.
type halting struct {
	net.PacketConn

	mu    sync.Mutex
	first int
	kept  []func()
	goes  bool
}

func (h *halting) WriteTo(p []byte, to net.Addr) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.first--
	if h.goes || h.first >= 0 {
		return h.PacketConn.WriteTo(p, to)
	}
	packet := slices.Clone(p)
	h.kept = append(h.kept, func() { _, _ = h.PacketConn.WriteTo(packet, to) })
	return len(p), nil
}

func (h *halting) keeps() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.kept) > 0
}

func (h *halting) goOn() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.goes = true
	for _, send := range h.kept {
		send()
	}
}

// shakeHands has a client ask whose handshake stays under way until the halting goes
// on, and returns what becomes of its request.
func shakeHands(t *testing.T, port uint16) (*http3.Transport, *halting, chan error) {
	t.Helper()
	socket, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// ClientHello takes two.
	conn := &halting{PacketConn: socket, first: 2}
	own := &quic.Transport{Conn: conn}
	t.Cleanup(func() { own.Close(); socket.Close() })
	client := quicClient(t)
	client.Dial = func(ctx context.Context, at string, tls *tls.Config, config *quic.Config) (*quic.Conn, error) {
		to, err := net.ResolveUDPAddr("udp4", at)
		if err != nil {
			return nil, err
		}
		config.HandshakeIdleTimeout = rig.Patience
		return own.DialEarly(ctx, to, tls, config)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := askQUIC(t, client, port)
		ended <- err
	}()
	wait.For(t, "the handshake is under way", conn.keeps)
	return client, conn, ended
}

// beforeHAProxy waits for what HAProxy by itself comes to after 30 seconds, and wants
// it sooner.
func beforeHAProxy(t *testing.T, what string, holds func() bool) {
	t.Helper()
	late := time.Now().Add(25 * time.Second)
	wait.For(t, what, holds)
	if time.Now().After(late) {
		t.Errorf("HAProxy was waited for: %s", what)
	}
}

// A worker that is to end shakes hands with those that have begun to, and never reads
// what they ask. It goes at once where it has no other connections, and what the client
// sends next is answered.
func TestHandshakesOfHTTP3DuringAReload(t *testing.T) {
	r, port := quicRig(t)
	r.Unit.Proxy.Settings.Timeouts.Drain = 0
	r.Must()
	before := r.worker()
	client, conn, ended := shakeHands(t, port)
	next := *r.Unit.Proxy.Routes[0].Rules[0]
	next.Filters = []ir.Filter{{ResponseHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-Round", Value: "1"}}}}}
	r.Unit.Proxy.Routes[0] = rig.WithRule(r.Unit.Proxy.Routes[0], &next)
	r.Must()
	if r.worker() == before {
		t.Fatal("that took no reload")
	}
	conn.goOn()
	beforeHAProxy(t, "the old worker has gone", func() bool {
		said, err := r.child().Master.Ask(t.Context(), "show proc")
		return err == nil && strings.Contains(said, "# workers") && !strings.Contains(said, fmt.Sprint(before, " "))
	})
	if got, err := askQUIC(t, client, port); err != nil && !wasReset(err) {
		t.Errorf("%q, %v", got, err)
	}
	if err := <-ended; !wasReset(err) {
		t.Errorf("the client was told nothing: %v", err)
	}
}

func wasReset(err error) bool {
	_, reset := errors.AsType[*quic.StatelessResetError](err)
	return reset
}

// The same keeps no HAProxy from its end.
func TestHandshakesOfHTTP3AtTheEnd(t *testing.T) {
	r, port := quicRig(t)
	r.Unit.Proxy.Settings.Timeouts.Drain = 0
	r.Must()
	_, conn, _ := shakeHands(t, port)
	r.Stop()
	wait.For(t, "nothing listens", func() bool {
		conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port))
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	conn.goOn()
	beforeHAProxy(t, "HAProxy has gone", func() bool {
		select {
		case _, open := <-r.Outcomes:
			return !open
		default:
			return false
		}
	})
}
