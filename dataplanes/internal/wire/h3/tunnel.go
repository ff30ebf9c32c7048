package h3

import (
	"context"
	"crypto/sha1" //nolint:gosec // RFC 6455 says so, and nothing secret depends on it.
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

var errTunnel = errors.New("a change of protocol was not asked for")

// acceptField is how a backend proves that it speaks WebSocket. Over HTTP/3 the
// status alone does (RFC 9220).
const acceptField = "Sec-Websocket-Accept"

// accepts is what a backend must answer to a key (RFC 6455, section 4.2.2).
func accepts(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // See above.
	return base64.StdEncoding.EncodeToString(sum[:])
}

// tunnel joins the client's stream and the backend's connection.
func (o *outgoing) tunnel() exchange.Sent {
	if o.key == "" {
		return exchange.Sent{Err: errTunnel}
	}
	if got, _ := o.response.Header.Get(acceptField); got != accepts(o.key) {
		return o.noWebSocket()
	}
	o.response.Header.Del(acceptField)
	o.writeHeader(http.StatusOK)
	streamer, ok := o.w.(http3.HTTPStreamer)
	if !ok {
		return exchange.Sent{Err: errTunnel}
	}
	var client *http3.Stream
	_, err := o.stall.write(nil, func([]byte) (_ int, err error) {
		client, err = streamer.HTTPStream()
		return 0, err
	})
	if err != nil {
		return exchange.Sent{Err: err}
	}
	o.stall.forgive()
	t := &tunnel{client: client, backend: o.response.Tunnel, stall: o.stall}
	n, err := t.run(o.request.Context())
	return exchange.Sent{Bytes: n, Status: http.StatusOK, Err: err}
}

// noWebSocket says that whatever answers at the backend does not speak WebSocket.
func (o *outgoing) noWebSocket() exchange.Sent {
	o.w.WriteHeader(http.StatusBadGateway)
	return exchange.Sent{Status: http.StatusBadGateway}
}

// tunnel is a WebSocket over a stream of HTTP/3.
type tunnel struct {
	client  *http3.Stream
	backend io.ReadWriteCloser
	stall   *stall

	mu sync.Mutex
	// over is true once the backend's side is not the tunnel's any more.
	over bool
}

// run ends when the backend has ended, or either side has failed: a WebSocket
// has nothing to say in one direction alone.
func (t *tunnel) run(ctx context.Context) (toClient int64, err error) {
	stop := context.AfterFunc(ctx, t.abort)
	defer stop()
	up := make(chan struct{})
	go func() {
		defer close(up)
		t.up()
	}()
	toClient, err = t.down()
	const cancelled = quic.StreamErrorCode(http3.ErrCodeRequestCanceled)
	if err != nil {
		t.client.CancelWrite(cancelled)
	} else {
		err = t.client.Close()
	}
	t.client.CancelRead(cancelled)
	t.abort()
	<-up
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	return toClient, err
}

// up carries what the client says, and hands its end on.
func (t *tunnel) up() {
	buffer := buffers.Get().(*[]byte) //nolint:errcheck,forcetypeassert // The pool holds nothing else.
	defer buffers.Put(buffer)
	_, err := io.CopyBuffer(t.backend, struct{ io.Reader }{t.client}, *buffer)
	half, ok := t.backend.(interface{ CloseWrite() error })
	if err != nil || !ok || half.CloseWrite() != nil {
		t.abort()
	}
}

// abort ends the backend's side, whichever goroutines are at it.
func (t *tunnel) abort() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if backend, ok := t.backend.(interface{ Abort() }); ok && !t.over {
		backend.Abort()
	}
}

// down carries what the backend says, to a client that must take it.
func (t *tunnel) down() (int64, error) {
	buffer := buffers.Get().(*[]byte) //nolint:errcheck,forcetypeassert // The pool holds nothing else.
	defer buffers.Put(buffer)
	return io.CopyBuffer(bounded{t}, struct{ io.Reader }{t.backend}, *buffer)
}

// bounded gives up on a client that takes nothing for a stall.
type bounded struct{ *tunnel }

var _ io.Writer = bounded{}

// Write writes to the client.
func (b bounded) Write(p []byte) (int, error) {
	return b.stall.write(p, b.client.Write)
}
