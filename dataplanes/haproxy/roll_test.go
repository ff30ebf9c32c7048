package haproxy_test

import (
	"bufio"
	"context"
	"encoding/csv"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"
	"github.com/sluice-gateway/sluice/dataplanes/rig"
	"github.com/sluice-gateway/sluice/ir"
)

// frequent is how many requests a second are so many that HAProxy does not keep each.
const frequent = 1000

// Where an endpoint comes or goes, no request is lost to a connection that ends as it
// is written, however many there are: neither in the process that was there, nor in
// the next one.
func TestNoRequestIsLostWhileEndpointsChange(t *testing.T) {
	r := newRig(t, dataplanes.Options{})
	addr := r.Listen("http")
	e := &ending{}
	first, second := e.serve(t), e.serve(t)
	one := r.Backend("one", first)
	rule := r.Route("http", "/", &ir.Rule{Backends: rig.To(one)})
	r.Must()
	l := hurry(t, addr)
	wait.For(t, "one of many requests is left to its client", func() bool {
		r.frequent("apps_one")
		e.one(t, l)
		return l.lost.Load() > 0
	})
	check := func(when string) {
		t.Helper()
		before := l.lost.Load()
		for range 30 {
			r.frequent("apps_one")
			e.one(t, l)
		}
		if lost := l.lost.Load() - before; lost > 0 {
			t.Errorf("%s: %d requests were lost at 30 connections that ended", when, lost)
		}
	}
	r.Endpoints(one.EndpointsKey, first, second)
	r.Must()
	check("an endpoint has come")

	next := *rule
	next.Filters = []ir.Filter{{ResponseHeaders: &ir.HeaderEdit{Set: []ir.Header{{Name: "X-Next", Value: "1"}}}}}
	r.Unit.Proxy.Routes[0] = rig.WithRule(r.Unit.Proxy.Routes[0], &next)
	r.Must()
	check("another process has come")
}

// frequent waits until a backend gets so many requests that not each is kept.
func (r *plane) frequent(section string) {
	r.T.Helper()
	wait.For(r.T, "requests are frequent", func() bool {
		said, err := r.child().Admin.Ask(context.Background(), "show stat")
		if err != nil {
			r.T.Fatal(err)
		}
		rows, err := csv.NewReader(strings.NewReader(strings.TrimSpace(strings.TrimPrefix(said, "# ")))).ReadAll()
		if err != nil {
			r.T.Fatal(err)
		}
		rate := 0
		for _, row := range rows[1:] {
			for i, name := range rows[0] {
				if name == "rate" && row[1] == "BACKEND" && strings.HasPrefix(row[0], section) {
					n, _ := strconv.Atoi(row[i])
					rate = max(rate, n)
				}
			}
		}
		return rate > frequent
	})
}

// ending is a backend that ends a connection where it is told to, as a request comes
// on it that is not its first: for who has sent that, the connection has ended before.
type ending struct{ due atomic.Bool }

func (e *ending) serve(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go e.answer(conn)
		}
	}()
	return ln.Addr().String()
}

func (e *ending) answer(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for n := 0; ; n++ {
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		if n > 0 && e.due.CompareAndSwap(true, false) {
			return
		}
		if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
			return
		}
	}
}

// one ends one connection, and returns once so many requests have ended since that
// the one that met it has.
func (e *ending) one(t *testing.T, l *hurried) {
	t.Helper()
	e.due.Store(true)
	wait.For(t, "a connection ends", func() bool { return !e.due.Load() })
	at := l.ended.Load()
	wait.For(t, "requests end", func() bool { return l.ended.Load() > at+100 })
}

// hurried counts requests of clients that send the next one as soon as the last has
// its answer, and none a second time.
type hurried struct{ ended, lost atomic.Int64 }

func hurry(t *testing.T, addr string) *hurried {
	t.Helper()
	l := &hurried{}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				l.connection(ctx, addr)
			}
		})
	}
	t.Cleanup(func() { cancel(); wg.Wait() })
	return l
}

// connection sends requests over one connection until it ends. Nothing is lost where an
// answer has said that it will.
func (l *hurried) connection(ctx context.Context, addr string) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		l.lost.Add(1)
		return
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for ctx.Err() == nil {
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
		answer, err := http.ReadResponse(in, nil)
		l.ended.Add(1)
		if err != nil || answer.StatusCode != http.StatusOK {
			l.lost.Add(1)
			return
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.Close {
			return
		}
	}
}
