package h1

import (
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/guard"
)

// TestPoolsShareTheirPlaces has two pools with one place for an idle connection
// between them.
func TestPoolsShareTheirPlaces(t *testing.T) {
	addr := backend(t, func(c *client) {
		for c.request() != nil {
			c.send(okAnswer)
		}
	})
	places := guard.NewBudget(1)
	newPool := func() *Pool {
		return &Pool{Places: places, Dial: func(context.Context) (net.Conn, error) { return net.Dial("tcp", addr) }}
	}
	one, two := newPool(), newPool()
	ask := func(p *Pool) {
		answer, err := p.Do(t.Context(), exchange.Ask{Request: &exchange.Request{Method: "GET", Path: "/", Authority: "a", Body: exchange.NoBody{}}})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(answer.Body)
		answer.Body.Close()
	}
	for range 3 {
		ask(one)
		ask(two)
	}
	if one.Idle() != 1 || two.Idle() != 0 || places.Taken() != 1 {
		t.Errorf("%d and %d are idle, %d places are taken; want 1, 0 and 1", one.Idle(), two.Idle(), places.Taken())
	}
	one.Close()
	ask(two)
	if two.Idle() != 1 || places.Taken() != 1 {
		t.Errorf("after the first pool was closed %d are idle, %d places are taken; want 1 and 1", two.Idle(), places.Taken())
	}
	two.Close()
	if places.Taken() != 0 {
		t.Errorf("%d places were not given back", places.Taken())
	}
}

// TestLargeBodiesWithoutLargeBuffers has others hold all of them.
func TestLargeBodiesWithoutLargeBuffers(t *testing.T) {
	taken := larges.Most() - larges.Taken()
	if !larges.Take(taken) {
		t.Fatal("somebody else has taken one")
	}
	defer larges.Give(taken)
	const size = 2 << 20
	addr := backend(t, func(c *client) {
		for c.request() != nil {
			c.send("HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(size) + "\r\n\r\n" + strings.Repeat("x", size))
		}
	})
	p := newProxy(t, addr, func(c net.Conn) net.Conn { return c }).start()
	c := p.dial()
	for range 2 {
		c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if got := len(body(c.answer("GET", 200))); got != size {
			t.Errorf("%d octets came of %d", got, size)
		}
	}
}
