package backend

import (
	"bufio"
	"bytes"
	"io"
	"net"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// GRPC serves HTTP/2 without TLS: every call is answered with one message of
// Small and grpc-status 0. It does not look at what is called.
func GRPC(l net.Listener) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			_ = newCalls(conn).serve()
		}()
	}
}

// calls is one connection. Headers are never decoded, so the peer's HPACK state
// needs no following; ours has no dynamic table, so blocks can be made once.
type calls struct {
	in     *bufio.Reader
	out    *bufio.Writer
	framer *http2.Framer
	unread uint32
}

var (
	opening  = block("content-type", "application/grpc")
	trailers = block("grpc-status", "0")
	message  = append([]byte{0, 0, 0, 0, byte(len(Small))}, Small...)
)

func block(name, value string) []byte {
	var buf bytes.Buffer
	enc := hpack.NewEncoder(&buf)
	enc.SetMaxDynamicTableSize(0)
	if name == "content-type" {
		_ = enc.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	}
	_ = enc.WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: true})
	return buf.Bytes()
}

func newCalls(conn net.Conn) *calls {
	c := &calls{in: bufio.NewReaderSize(conn, 64<<10), out: bufio.NewWriterSize(conn, 64<<10)}
	c.framer = http2.NewFramer(c.out, c.in)
	c.framer.SetReuseFrames()
	return c
}

func (c *calls) serve() error {
	if _, err := io.CopyN(io.Discard, c.in, int64(len(http2.ClientPreface))); err != nil {
		return err
	}
	if err := c.framer.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1000}); err != nil {
		return err
	}
	for {
		if c.in.Buffered() == 0 {
			if err := c.out.Flush(); err != nil {
				return err
			}
		}
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return err
		}
		if err := c.take(frame); err != nil {
			return err
		}
	}
}

func (c *calls) take(frame http2.Frame) error {
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return c.framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return c.framer.WritePing(true, f.Data)
		}
	case *http2.HeadersFrame:
		if f.StreamEnded() {
			return c.respond(f.StreamID)
		}
	case *http2.DataFrame:
		if err := c.count(f.Length); err != nil {
			return err
		}
		if f.StreamEnded() {
			return c.respond(f.StreamID)
		}
	}
	return nil
}

// count gives the connection's window back in large steps. Messages are far
// smaller than a stream's window.
func (c *calls) count(n uint32) error {
	if c.unread += n; c.unread < 1<<14 {
		return nil
	}
	n, c.unread = c.unread, 0
	return c.framer.WriteWindowUpdate(0, n)
}

// respond minds no window: what is under way is a few bytes a stream.
func (c *calls) respond(stream uint32) error {
	err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: opening, EndHeaders: true})
	if err != nil {
		return err
	}
	if err := c.framer.WriteData(stream, false, message); err != nil {
		return err
	}
	return c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: trailers, EndHeaders: true, EndStream: true})
}
