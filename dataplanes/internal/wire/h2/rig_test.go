package h2

import (
	"bytes"
	"context"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// patient is how long a test waits before it says that it would wait forever.
const patient = 20 * time.Second

// observer keeps what it is told.
type observer struct {
	mu       sync.Mutex
	refused  []string
	answered []exchange.Sent
	panicked int
}

var _ exchange.Ender = (*observer)(nil)

func (o *observer) Done(sent exchange.Sent) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answered = append(o.answered, sent)
}

func (o *observer) refuse(reason string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refused = append(o.refused, reason)
}

func (o *observer) panics(any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.panicked++
}

// handler answers what was not refused.
type handler struct {
	serve func(context.Context, *exchange.Request) *exchange.Response
	log   *observer
}

var _ exchange.Handler = (*handler)(nil)

func (h *handler) Serve(ctx context.Context, in exchange.Incoming) exchange.Answer {
	if in.Refused != 0 {
		h.log.refuse(in.Reason)
		return exchange.Answer{Response: &exchange.Response{Status: in.Refused}, Ender: h.log}
	}
	return exchange.Answer{Response: h.serve(ctx, in.Request), Ender: h.log}
}

// rig is a server on loopback.
type rig struct {
	t      testing.TB
	server *Server
	addr   string
	log    *observer
	// wrap is what a connection goes through, if it is not nil.
	wrap func(net.Conn) net.Conn
}

func newRig(t testing.TB, serve func(context.Context, *exchange.Request) *exchange.Response) *rig {
	t.Helper()
	r := &rig{t: t, log: &observer{}}
	r.server = &Server{
		Handler: &handler{serve, r.log}, Panicked: r.log.panics,
		Refused: func(_ *exchange.Conn, why *Error) { r.log.refuse(why.Reason) },
	}
	return r
}

// start begins to accept.
func (r *rig) start() *rig {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	r.addr = ln.Addr().String()
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() { r.server.Serve(context.Background(), r.wrapped(c), nil) })
		}
	})
	r.t.Cleanup(func() {
		ln.Close()
		r.server.Close()
		all.Wait()
	})
	return r
}

func (r *rig) wrapped(c net.Conn) net.Conn {
	if r.wrap == nil {
		return rawconn.New(c)
	}
	return r.wrap(rawconn.New(c))
}

// rawPeer is a client that says what it likes.
type rawPeer struct {
	t      testing.TB
	conn   net.Conn
	framer *http2.Framer
	block  bytes.Buffer
	enc    *hpack.Encoder
	dec    *hpack.Decoder
	fields []hpack.HeaderField
}

func (r *rig) dial() *rawPeer {
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return newRawPeer(r.t, c)
}

func newRawPeer(t testing.TB, c net.Conn) *rawPeer {
	t.Helper()
	c.SetDeadline(time.Now().Add(patient))
	p := &rawPeer{t: t, conn: c, framer: http2.NewFramer(c, c)}
	p.framer.AllowIllegalWrites = true
	p.enc = hpack.NewEncoder(&p.block)
	p.dec = hpack.NewDecoder(4096, func(f hpack.HeaderField) { p.fields = append(p.fields, f) })
	return p
}

// hello sends the preface and takes the server's.
func (p *rawPeer) hello(settings ...http2.Setting) *rawPeer {
	io.WriteString(p.conn, http2.ClientPreface)
	p.framer.WriteSettings(settings...)
	for acked := false; !acked; {
		f, err := p.framer.ReadFrame()
		if err != nil {
			p.t.Fatal(err)
		}
		s, ok := f.(*http2.SettingsFrame)
		if acked = ok && s.IsAck(); ok && !acked {
			p.framer.WriteSettingsAck()
		}
	}
	return p
}

// fields encodes "name value" pairs.
func (p *rawPeer) encode(pairs ...string) []byte {
	p.block.Reset()
	for i := 0; i < len(pairs); i += 2 {
		p.enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return p.block.Bytes()
}

var getPseudo = []string{":method", "GET", ":scheme", "http", ":path", "/", ":authority", "x.example"}

// get sends a request that ends with its head.
func (p *rawPeer) get(id uint32, more ...string) {
	p.head(id, true, append(getPseudo[:8:8], more...)...)
}

// post sends a head behind which content comes.
func (p *rawPeer) post(id uint32, more ...string) {
	pairs := []string{":method", "POST", ":scheme", "http", ":path", "/", ":authority", "x.example"}
	p.head(id, false, append(pairs, more...)...)
}

func (p *rawPeer) head(id uint32, end bool, pairs ...string) {
	block := p.encode(pairs...)
	n := min(len(block), initialFrame)
	p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block[:n], EndStream: end, EndHeaders: n == len(block)})
	for block = block[n:]; len(block) > 0; block = block[n:] {
		n = min(len(block), initialFrame)
		p.framer.WriteContinuation(id, n == len(block), block[:n])
	}
}

func (p *rawPeer) raw(kind http2.FrameType, flags http2.Flags, id uint32, payload string) {
	p.framer.WriteRawFrame(kind, flags, id, []byte(payload))
}

// reaction is what a server did.
type reaction struct {
	goAway bool
	reset  uint32
	status string
	code   http2.ErrCode
	pong   bool
	closed bool
}

// next reads up to something that is a reaction.
func (p *rawPeer) next() reaction {
	for {
		f, err := p.framer.ReadFrame()
		if err != nil {
			return reaction{closed: true}
		}
		switch f := f.(type) {
		case *http2.GoAwayFrame:
			return reaction{goAway: true, code: f.ErrCode}
		case *http2.RSTStreamFrame:
			return reaction{reset: f.StreamID, code: f.ErrCode}
		case *http2.PingFrame:
			if f.IsAck() {
				return reaction{pong: true}
			}
		case *http2.HeadersFrame:
			p.fields = p.fields[:0]
			if _, err := p.dec.Write(f.HeaderBlockFragment()); err != nil {
				p.t.Fatal(err)
			}
			if len(p.fields) > 0 && p.fields[0].Name == ":status" {
				return reaction{status: p.fields[0].Value}
			}
		}
	}
}

// status is the next answer's.
func (p *rawPeer) status() int {
	p.t.Helper()
	r := p.next()
	n, err := strconv.Atoi(r.status)
	if err != nil {
		p.t.Fatalf("got %+v, want an answer", r)
	}
	return n
}

// answering is a handler that reads the request and answers.
func answering(ctx context.Context, q *exchange.Request) *exchange.Response {
	if _, hangs := q.Header.Get("x-hang"); hangs {
		<-ctx.Done()
	}
	if _, err := io.Copy(io.Discard, q.Body); err != nil {
		return &exchange.Response{Status: 400}
	}
	return &exchange.Response{Status: 200, Length: 2, Body: io.NopCloser(bytes.NewReader([]byte("ok")))}
}
