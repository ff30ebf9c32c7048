package goproxy_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"

	"github.com/coder/websocket"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-gateway/sluice/ir"
)

// load is clients that ask as fast as they are answered, until told to stop.
type load struct {
	group  sync.WaitGroup
	stop   chan struct{}
	asked  atomic.Int64
	failed atomic.Int64
	first  atomic.Pointer[string]
}

func (l *load) run(ask func() error) {
	l.group.Go(func() {
		for {
			select {
			case <-l.stop:
				return
			default:
			}
			l.asked.Add(1)
			if err := ask(); err != nil {
				l.failed.Add(1)
				text := err.Error()
				l.first.CompareAndSwap(nil, &text)
			}
		}
	})
}

func (l *load) end(t *testing.T) {
	t.Helper()
	close(l.stop)
	l.group.Wait()
	t.Logf("%d requests, %d failed", l.asked.Load(), l.failed.Load())
	if l.failed.Load() > 0 {
		t.Errorf("%d of %d requests failed, the first with %s", l.failed.Load(), l.asked.Load(), *l.first.Load())
	}
}

func askOnce(client *http.Client, addr string) error {
	res, err := client.Get("http://" + addr + "/")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != 200 {
		return fmt.Errorf("%d %q", res.StatusCode, body)
	}
	return nil
}

// askRaw uses a connection of its own and tries nothing twice.
func askRaw(addr string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		return errors.New(res.Status)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// TestSwapsLoseNothing changes routes, endpoints, listeners and settings under
// load, with a stream and a tunnel open all the while.
func TestSwapsLoseNothing(t *testing.T) {
	r := newRig(t)
	addr := r.listen("http")
	streams := r.listen("streams")
	a, b := named(t, "a"), named(t, "b")
	key := r.backend("b", ir.BackendHTTP1, a)
	route := r.route("http", &ir.Rule{Backends: to(key)})
	r.route("streams", &ir.Rule{
		Matches:  []ir.Match{{Path: ir.PathMatch{Kind: ir.Exact, Value: "/ws"}}},
		Backends: to(r.backend("ws", ir.BackendHTTP1, echoSocket(t))),
	})
	r.route("streams", &ir.Rule{Backends: to(r.backend("grpc", ir.BackendH2C, serveGRPC(t, "one")))}).Kind = ir.GRPCRoute
	r.must()
	stream, err := grpcClient(t, streams).FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	socket, _, err := websocket.Dial(t.Context(), "ws://"+streams+"/ws", nil) //nolint:bodyclose // The package closes it.
	if err != nil {
		t.Fatal(err)
	}
	defer socket.CloseNow()

	keepAlive, h2 := plain(t), h2c(t)
	fresh := newClient(t, &http.Transport{DisableKeepAlives: true})
	l := &load{stop: make(chan struct{})}
	l.run(func() error { return askOnce(keepAlive, addr) })
	l.run(func() error { return askOnce(h2, addr) })
	l.run(func() error { return askOnce(fresh, addr) })
	l.run(func() error { return askRaw(addr) })
	listeners, routes := r.unit.Proxy.Listeners, r.unit.Proxy.Routes
	for i := range 100 {
		changed := *route
		rule := *route.Rules[0]
		rule.Filters = []ir.Filter{{ResponseHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-Edit", Value: fmt.Sprint(i)}}}}}
		changed.Rules = []*ir.Rule{&rule}
		r.unit.Proxy.Routes = append([]*ir.Route{&changed}, routes[1:]...)
		r.endpoints(key.EndpointsKey, [][]string{{a}, {b}, {a, b}}[i%3]...)
		r.unit.Proxy.Settings.Timeouts.Idle = ir.Duration(time.Minute + time.Duration(i/10))
		r.unit.Proxy.Listeners = listeners
		if i%10 == 0 {
			r.unit.Proxy.Listeners = append(listeners[:2:2], &ir.Listener{Key: listenerKey("more"), Port: freePort(t), Protocol: ir.HTTP, Hostname: "*"})
		}
		r.must()
		exchangeOne(t, stream, "still")
		say(t, socket, "here")
	}
	l.end(t)
}

func TestRemovedListenerClosesItsSocketAlone(t *testing.T) {
	r := newRig(t)
	gone, stays := r.listen("gone"), r.listen("stays")
	r.route("stays", &ir.Rule{Backends: to(r.backend("b", ir.BackendHTTP1, named(t, "b")))})
	r.must()
	client := plain(t)
	get(t, client, "http://"+stays+"/")
	idle, err := net.Dial("tcp", gone)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	r.unit.Proxy.Listeners = r.unit.Proxy.Listeners[1:]
	r.must()
	if c, err := net.Dial("tcp", gone); err == nil {
		c.Close()
		t.Error("the socket of the removed listener still takes connections")
	}
	_ = idle.SetDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, idle); errors.Is(err, context.DeadlineExceeded) {
		t.Error("its connection was not closed")
	}
	client.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed }
	if got := get(t, client, "http://"+stays+"/"); got.body != "b" {
		t.Errorf("the other listener's connection: %d %q", got.status, got.body)
	}
}

// TestStopDrains stops the proxy while a request and a stream are under way.
func TestStopDrains(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	slow := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		fmt.Fprint(w, "whole")
	})
	r := newRig(t)
	addr := r.listen("http")
	streams := r.listen("streams")
	r.unit.Proxy.Settings.Timeouts.Drain = ir.Duration(patience)
	r.route("http", &ir.Rule{Backends: to(r.backend("b", ir.BackendHTTP1, slow))})
	r.route("streams", &ir.Rule{Backends: to(r.backend("grpc", ir.BackendH2C, serveGRPC(t, "one")))}).Kind = ir.GRPCRoute
	r.must()
	stream, err := grpcClient(t, streams).FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	exchangeOne(t, stream, "before")
	result := make(chan error, 1)
	go func() { result <- askOnce(plain(t), addr) }()
	<-arrived
	r.stop()
	wait.For(t, "the socket to close", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	exchangeOne(t, stream, "while it drains")
	close(release)
	if err := <-result; err != nil {
		t.Errorf("the request under way: %v", err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the stream's end: %v, want EOF", err)
	}
	for range r.local.Outcomes() { //nolint:revive // Drained until closed.
	}
	if !strings.Contains(r.log.String(), `"route":"HTTPRoute/apps/route-0"`) {
		t.Errorf("the log was not flushed: %s", r.log)
	}
}

func TestDrainEndsInTime(t *testing.T) {
	r := newRig(t)
	addr := r.listen("http")
	r.unit.Proxy.Settings.Timeouts.Drain = ir.Duration(50 * time.Millisecond)
	r.route("http", &ir.Rule{
		Matches:  []ir.Match{{Path: ir.PathMatch{Kind: ir.Exact, Value: "/ws"}}},
		Backends: to(r.backend("ws", ir.BackendHTTP1, echoSocket(t))),
	})
	r.route("http", &ir.Rule{Backends: to(r.backend("grpc", ir.BackendH2C, serveGRPC(t, "one")))}).Kind = ir.GRPCRoute
	r.must()
	stream, err := grpcClient(t, addr).FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	exchangeOne(t, stream, "before")
	socket, _, err := websocket.Dial(t.Context(), "ws://"+addr+"/ws", nil) //nolint:bodyclose // The package closes it.
	if err != nil {
		t.Fatal(err)
	}
	defer socket.CloseNow()
	r.stop()
	for range r.local.Outcomes() { //nolint:revive // Drained until closed.
	}
	if _, err := stream.Recv(); status.Code(err) == codes.OK {
		t.Error("the stream outlived the drain")
	}
	if _, _, err := socket.Read(t.Context()); err == nil {
		t.Error("the tunnel outlived the drain")
	}
}

// TestEditedSettingsLeaveNothing edits a setting of connections again and again.
// A client that is connected is asked to come anew, after its next response, and
// servers without connections end.
func TestEditedSettingsLeaveNothing(t *testing.T) {
	r := newRig(t)
	addr := r.listen("http")
	r.route("http", &ir.Rule{Backends: to(r.backend("b", ir.BackendHTTP1, named(t, "b")))})
	r.must()
	edit := func(i int) {
		r.unit.Proxy.Settings.Timeouts.Idle = ir.Duration(time.Duration(i) * time.Hour)
		r.must()
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	reader := bufio.NewReader(c)
	for i, last := range []bool{false, false, true} {
		if last {
			edit(1)
		}
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		res, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != 200 || res.Close != last {
			t.Errorf("response %d: got %d, close %t, want 200, %t", i, res.StatusCode, res.Close, last)
		}
	}
	if _, err := reader.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection stays: %v", err)
	}
	before := runtime.NumGoroutine()
	for i := range 100 {
		edit(2 + i)
	}
	wait.For(t, "an end of the servers from before", func() bool {
		r.must()
		return runtime.NumGoroutine() < before+20
	})
	if got := get(t, plain(t), "http://"+addr+"/"); got.status != 200 {
		t.Errorf("after all edits: %d", got.status)
	}
}
