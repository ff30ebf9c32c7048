package wire

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

var buffers = sync.Pool{New: func() any {
	b := make([]byte, 32<<10)
	return &b
}}

// tunnel hands the client's connection over to the backend's stream.
func (s *Server) tunnel(ctx context.Context, out *outgoing) Sent {
	backend := out.response.Tunnel
	defer backend.Close()
	// A tunnel takes the place of its connection.
	s.holders.add()
	defer s.holders.remove()
	client, early, err := out.control.Hijack()
	if err != nil {
		return Sent{Err: err}
	}
	defer client.Close()
	// A tunnel may be silent for as long as it likes.
	_ = client.SetDeadline(time.Time{})
	if err := out.writeSwitch(client); err != nil {
		return Sent{Err: err}
	}
	done := s.tunnels.add(func() {
		client.Close()
		backend.Close()
	})
	defer done()
	stop := context.AfterFunc(ctx, func() {
		client.Close()
		backend.Close()
	})
	defer stop()
	return join(stream{client, unread(client, early.Reader)}, backend)
}

func (o *outgoing) writeSwitch(client net.Conn) error {
	h := http.Header{}
	for _, f := range o.response.Header {
		h.Add(f.Name, f.Value)
	}
	h.Set("Connection", "Upgrade")
	h.Set("Upgrade", o.request.Header.Get("Upgrade"))
	if _, err := fmt.Fprint(client, "HTTP/1.1 101 Switching Protocols\r\n"); err != nil {
		return err
	}
	if err := h.Write(client); err != nil {
		return err
	}
	_, err := io.WriteString(client, "\r\n")
	return err
}

// unread puts what net/http has read of a connection in front of the rest. The
// rest is not read through net/http, which takes a client that ends its side
// for one that has gone.
func unread(c net.Conn, early *bufio.Reader) io.Reader {
	return io.MultiReader(io.LimitReader(early, int64(early.Buffered())), c)
}

// stream is the client's connection, with what was read of it already in front.
type stream struct {
	net.Conn
	reader io.Reader
}

func (s stream) Read(p []byte) (int, error) { return s.reader.Read(p) }

func (s stream) CloseWrite() error { return closeWrite(s.Conn) }

// join copies both ways until both have ended. An end of one way is passed on
// as such: the other way may have much to say still.
func join(client stream, backend io.ReadWriteCloser) Sent {
	upward := make(chan error, 1)
	go func() {
		_, err := pass(backend, client)
		upward <- err
	}()
	n, err := pass(client, backend)
	if upErr := <-upward; err == nil {
		err = upErr
	}
	return Sent{Bytes: n, Err: err}
}

// pass copies one way. After an error, both ends are closed: half of a broken
// tunnel is of use to nobody.
func pass(to io.WriteCloser, from io.ReadCloser) (int64, error) {
	buffer := buffers.Get().(*[]byte) //nolint:errcheck,forcetypeassert // The pool holds nothing else.
	defer buffers.Put(buffer)
	n, err := io.CopyBuffer(writerOnly{to}, readerOnly{from}, *buffer)
	if err == nil {
		err = closeWrite(to)
	}
	if err != nil {
		to.Close()
		from.Close()
	}
	return n, err
}

// writerOnly and readerOnly keep io.Copy to its buffer.
type (
	writerOnly struct{ io.Writer }
	readerOnly struct{ io.Reader }
)

// closeWrite ends one way of a stream; where that cannot be said, both.
func closeWrite(c io.Closer) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// tunnels are the open ones. net/http forgets what was hijacked.
type tunnels struct {
	mu       sync.Mutex
	open     map[int]func()
	next     int
	draining bool
	idle     chan struct{}
}

// add notes a tunnel and how to close it; done takes it off.
func (t *tunnels) add(closeIt func()) (done func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = map[int]func(){}
	}
	id := t.next
	t.next++
	t.open[id] = closeIt
	return func() { t.remove(id) }
}

func (t *tunnels) remove(id int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, id)
	t.signal()
}

// signal closes idle once nothing is left of a server that drains.
func (t *tunnels) signal() {
	if !t.draining || len(t.open) > 0 {
		return
	}
	select {
	case <-t.idle:
	default:
		close(t.idle)
	}
}

// drain waits for the open tunnels until the context ends, and closes the rest.
func (t *tunnels) drain(ctx context.Context) {
	t.mu.Lock()
	t.draining = true
	t.signal()
	t.mu.Unlock()
	select {
	case <-t.idle:
	case <-ctx.Done():
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, closeIt := range t.open {
			closeIt()
		}
	}
}
