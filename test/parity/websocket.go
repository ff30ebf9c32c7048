package parity

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/coder/websocket"
)

// webSocket makes an exchange over a WebSocket, or goes on with an open one.
func (p *play) webSocket(ctx context.Context, id string, w *WebSocket) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, a := p.sockets[w.Use], &answer{}
	if conn == nil {
		if w.Use != "" {
			return nil, fmt.Errorf("use: no WebSocket %q is open", w.Use)
		}
		var err error
		if conn, a, err = p.upgrade(ctx, id, w); err != nil || conn == nil {
			return a, err
		}
	}
	if w.Open != "" {
		p.sockets[w.Open] = conn
	}
	for _, message := range w.Send {
		if err := bounce(ctx, conn, message); err != nil {
			return a, err
		}
	}
	if w.Open == "" && w.Use == "" {
		return a, conn.Close(websocket.StatusNormalClosure, "")
	}
	return a, nil
}

// upgrade opens a WebSocket and reads what its backend got. Where the proxy
// refuses, the answer says how.
func (p *play) upgrade(ctx context.Context, id string, w *WebSocket) (*websocket.Conn, *answer, error) {
	host := or(w.Host, "a.example")
	l, err := p.link(w.Target, host, w.TLS)
	if err != nil {
		return nil, nil, err
	}
	header := http.Header{"X-Parity-Id": {id}}
	for _, field := range w.Headers {
		name, value, _ := strings.Cut(p.fill(field), ": ")
		header.Add(name, value)
	}
	client := &http.Client{Transport: &http.Transport{
		DialContext:    func(ctx context.Context, _, _ string) (net.Conn, error) { return l.dial(ctx) },
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return l.open(ctx, "http/1.1") },
		TLSNextProto:   map[string]func(string, *tls.Conn) http.RoundTripper{},
	}}
	scheme := "ws"
	if w.TLS {
		scheme = "wss"
	}
	conn, response, err := websocket.Dial(ctx, scheme+"://"+l.address+or(w.Path, "/"), &websocket.DialOptions{
		HTTPClient: client, HTTPHeader: header, Host: host, Subprotocols: []string{"parity"},
	})
	a := &answer{err: err}
	if response != nil {
		a.err = nil
		a.status, a.proto, a.header = response.StatusCode, response.Proto, response.Header
	}
	if err != nil {
		return nil, a, nil
	}
	_, hello, err := conn.Read(ctx)
	a.body, a.length = hello, len(hello)
	a.readSeen()
	return conn, a, err
}

func bounce(ctx context.Context, conn *websocket.Conn, message string) error {
	if err := conn.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
		return fmt.Errorf("send %q: %w", message, err)
	}
	_, back, err := conn.Read(ctx)
	if err != nil {
		return fmt.Errorf("after %q: %w", message, err)
	}
	if string(back) != message {
		return fmt.Errorf("sent %q and got %q back", message, back)
	}
	return nil
}
