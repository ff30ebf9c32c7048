package h2

import (
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6455 asks for it; it protects nothing.
	"encoding/base64"
	"io"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// webSocket is the one protocol that is changed to.
const webSocket = "websocket"

// asWebSocket makes of an extended CONNECT (RFC 8441) what the same client would
// have asked by HTTP/1.1, so that filters and backends see one kind of it. The
// key is ours, as the client has sent none.
func (sv *serving) asWebSocket() *Error {
	q := &sv.head.request
	q.Method, q.Upgrade, q.Length = "GET", webSocket, 0
	q.Body, q.Trailer = exchange.NoBody{}, nil
	q.Header.Del("sec-websocket-key")
	q.Header.Add("sec-websocket-key", webSocketKey())
	return nil
}

func webSocketKey() string {
	var key [16]byte
	_, _ = rand.Read(key[:])
	return base64.StdEncoding.EncodeToString(key[:])
}

// webSocketAccept is what a server answers to a key (RFC 6455, section 4.2.2).
func webSocketAccept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// tunnel answers an extended CONNECT and moves octets until both
// sides have ended.
func (sv *serving) tunnel(p *exchange.Response) error {
	q := &sv.head.request
	if q.Upgrade == "" || !sv.accepted(p) {
		return errUnasked
	}
	out := headOut{status: 200, header: p.Header, length: -1, date: true}
	if !writable(out.header) {
		return errUnwritable
	}
	if err := sv.writeHead(out); err != nil {
		return err
	}
	t := &tunnel{idle: sv.session.timeouts.Tunnel, sv: sv, backend: p.Tunnel}
	return t.run()
}

// accepted holds a backend to the key, and takes off what HTTP/2 has no use for.
func (sv *serving) accepted(p *exchange.Response) bool {
	q := &sv.head.request
	key, _ := q.Header.Get("sec-websocket-key")
	if accept, _ := p.Header.Get("sec-websocket-accept"); accept != webSocketAccept(key) {
		return false
	}
	p.Header.Del("sec-websocket-accept")
	return true
}

// tunnel joins a client's stream and a backend's.
type tunnel struct {
	idle    time.Duration
	sv      *serving
	backend io.ReadWriteCloser
	// moved is when an octet last moved, in either direction.
	moved atomic.Int64
	timer *time.Timer
}

// run ends when both directions have, or one of them has failed.
func (t *tunnel) run() error {
	t.touch()
	if t.idle > 0 {
		t.timer = time.AfterFunc(time.Hour, t.watch)
		t.timer.Reset(t.idle)
		defer t.timer.Stop()
	}
	up := make(chan error, 1)
	go func() { up <- t.upward() }()
	err := t.downward()
	return firstError(err, <-up)
}

func (t *tunnel) touch() { t.moved.Store(time.Now().UnixNano()) }

// watch cuts a tunnel in which nothing moves.
func (t *tunnel) watch() {
	if quiet := time.Since(time.Unix(0, t.moved.Load())); quiet < t.idle {
		t.timer.Reset(t.idle - quiet)
		return
	}
	t.cut(errAbandoned)
}

// cut ends both directions, whichever goroutine they are in.
func (t *tunnel) cut(why *Error) {
	l := t.sv.link
	l.mu.Lock()
	t.sv.reset(why)
	l.mu.Unlock()
	// A stream that can be aborted must not be closed while it is being read.
	if backend, ok := t.backend.(exchange.Aborter); ok {
		backend.Abort()
		return
	}
	t.backend.Close()
}

// upward moves what the client sends, and hands its end on.
func (t *tunnel) upward() error {
	buf := buffers.Get().(*[bufferSize]byte) //nolint:errcheck,forcetypeassert // The pool holds nothing else.
	defer buffers.Put(buf)
	for {
		n, err := t.sv.readBody(buf[:], bound{})
		if n > 0 {
			t.touch()
			if _, werr := t.backend.Write(buf[:n]); werr != nil {
				t.cut(errTunnel)
				return werr
			}
		}
		if err == io.EOF { //nolint:errorlint // It is never wrapped.
			return closeWrite(t.backend)
		}
		if err != nil {
			t.cut(errTunnel)
			return err
		}
	}
}

// downward moves what the backend sends.
func (t *tunnel) downward() error {
	buf := buffers.Get().(*[bufferSize]byte) //nolint:errcheck,forcetypeassert // The pool holds nothing else.
	defer buffers.Put(buf)
	for {
		if timed, ok := t.backend.(interface {
			ReadWithin(now time.Time, timeout time.Duration) error
		}); ok {
			// What the exchange is bounded by holds for its tunnel.
			if err := timed.ReadWithin(time.Time{}, 0); err != nil {
				t.cut(errTunnel)
				return err
			}
		}
		n, err := t.backend.Read(buf[:])
		end := err == io.EOF //nolint:errorlint // It is never wrapped.
		if n > 0 || end {
			t.touch()
			t.sv.sent += int64(n)
			if serr := t.sv.send(buf[:n], end); serr != nil {
				t.cut(errTunnel)
				return serr
			}
		}
		if end {
			return nil
		}
		if err != nil {
			t.cut(errTunnel)
			return err
		}
	}
}

// closeWrite ends one way of a stream; where that cannot be said, both.
func closeWrite(c io.Closer) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}
