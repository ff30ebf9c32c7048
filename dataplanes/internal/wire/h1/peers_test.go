package h1

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wait"
)

// The states of a connection in which a peer may go, or stop.
var peerStates = []string{"idle", "head", "body", "waiting", "response", "tunnel"}

// peerWants says what the client sees, by state: "end" is the end alone, "half"
// an answer that is cut off, "next" that another request is answered, and
// "gone" that there is nobody to see it.
var peerWants = map[string]map[string]string{
	"client half-closes":  {"idle": "end", "head": "end", "body": "400", "waiting": "504", "response": "half", "tunnel": "end"},
	"client closes":       {"idle": "gone", "head": "gone", "body": "gone", "waiting": "gone", "response": "gone", "tunnel": "gone"},
	"client resets":       {"idle": "gone", "head": "gone", "body": "gone", "waiting": "gone", "response": "gone", "tunnel": "gone"},
	"client stops":        {"idle": "end", "head": "408", "body": "408", "tunnel": "end"},
	"backend half-closes": {"idle": "next", "body": "502", "waiting": "502", "response": "half", "tunnel": "end"},
	"backend closes":      {"idle": "next", "body": "502", "waiting": "502", "response": "half", "tunnel": "end"},
	"backend resets":      {"idle": "next", "body": "502", "waiting": "502", "response": "half", "tunnel": "end"},
	"backend stops":       {"waiting": "504", "response": "half", "tunnel": "end"},
}

// Whatever peer goes away or stops, in whatever state of a connection, nothing is
// left: no connection with the client, and none with the backend.
func TestPeersThatGo(t *testing.T) {
	for event, wants := range peerWants {
		for _, state := range peerStates {
			if want := wants[state]; want != "" {
				t.Run(event+"/"+state, func(t *testing.T) { peerGoes(t, event, state, want) })
			}
		}
	}
}

func peerGoes(t *testing.T, event, state, want string) {
	t.Helper()
	who, how, _ := strings.Cut(event, " ")
	there, act, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var used atomic.Bool
	addr := backend(t, func(c *client) {
		if used.Swap(true) {
			serveOne(c)
			return
		}
		defer close(over)
		if reachState(c, state) {
			close(there)
		}
		if who == "backend" {
			<-act
			leave(c, how)
		}
		_, _ = io.Copy(io.Discard, c.r)
	})
	p := newProxy(t, addr, ways["raw"])
	const bound = 50 * time.Millisecond
	switch event {
	case "client stops":
		p.server.Timeouts = Timeouts{Idle: bound, Head: bound, Read: bound, Tunnel: bound}
	case "backend stops":
		p.server.Timeouts.Tunnel, p.pool.Answer, p.pool.Read = bound, bound, bound
	}
	c := p.start().dial()
	if enterState(c, state); state != "head" {
		<-there
	}
	close(act)
	if who == "client" {
		leave(c, how)
	}
	c.sees(want)
	c.Close()
	wait.For(t, "the client's connection ends", func() bool { return p.server.Open() == 0 })
	p.pool.Close()
	if state != "head" {
		<-over
	}
	if p.pool.Idle() != 0 {
		t.Error("a connection went back into the pool")
	}
}

func serveOne(c *client) {
	if c.request() != nil {
		c.send(okAnswer)
	}
}

// reachState is the backend's part of reaching a state.
func reachState(c *client, state string) bool {
	r, err := http.ReadRequest(c.r)
	if err != nil {
		return false
	}
	switch state {
	case "idle":
		c.send(okAnswer)
	case "body":
		_, _ = r.Body.Read(make([]byte, 1))
	case "response":
		c.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
	case "tunnel":
		c.send(switching)
	}
	return true
}

// enterState is the client's part of reaching a state.
func enterState(c *client, state string) {
	switch state {
	case "idle":
		c.get(200)
	case "head":
		c.send("GET / HTTP/1.1\r\nHo")
	case "body":
		c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nbegun")
	case "tunnel":
		c.send(upgradeRequest).answer("GET", 101)
	default:
		c.send(getOne)
	}
}

func leave(c *client, how string) {
	tcp := c.Conn.(*net.TCPConn)
	switch how {
	case "half-closes":
		_ = tcp.CloseWrite()
	case "resets":
		_ = tcp.SetLinger(0)
		c.Close()
	case "closes":
		c.Close()
	}
}

// sees fails unless the client sees what it should.
func (c *client) sees(want string) {
	c.t.Helper()
	switch want {
	case "gone":
	case "next":
		c.get(200)
	case "end":
		c.ended()
	case "half":
		got, err := io.ReadAll(c.r)
		if isTimeout(err) || !strings.HasPrefix(string(got), "HTTP/1.1 200") || !strings.HasSuffix(string(got), "half") {
			c.t.Errorf("%q (%v), want half an answer", got, err)
		}
	default:
		status, _ := strconv.Atoi(want)
		c.answer("GET", status)
	}
}
