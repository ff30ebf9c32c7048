package h2

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// script is a connection whose other end says something and then waits to be
// told that it may go.
type script struct {
	say    *bytes.Reader
	leave  chan struct{}
	closed chan struct{}
	once   sync.Once
	mu     sync.Mutex
	heard  bytes.Buffer
	spoke  chan struct{}
}

var _ net.Conn = (*script)(nil)

func newScript(say []byte) *script {
	return &script{say: bytes.NewReader(say), leave: make(chan struct{}), closed: make(chan struct{}), spoke: make(chan struct{}, 1)}
}

func (s *script) Read(p []byte) (int, error) {
	if s.say.Len() > 0 {
		return s.say.Read(p)
	}
	select {
	case <-s.leave:
		return 0, io.EOF
	case <-s.closed:
		return 0, net.ErrClosed
	}
}

func (s *script) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
		return 0, net.ErrClosed
	default:
	}
	select {
	case s.spoke <- struct{}{}:
	default:
	}
	return s.heard.Write(p)
}

func (s *script) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *script) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// seedScripts are what clients of the table of raw frames say.
func seedScripts() (seeds [][]byte) {
	for _, cases := range [][]rawCase{genericCases, frameCases, bodyCases, hpackCases, settingCases[:10], headCases} {
		for _, c := range cases {
			s := newScript(nil)
			s.spoke <- struct{}{}
			p := &rawPeer{conn: s, framer: http2.NewFramer(s, bytes.NewReader(nil))}
			p.framer.AllowIllegalWrites = true
			p.enc = hpack.NewEncoder(&p.block)
			func() {
				defer func() { _ = recover() }() // Some wait for an answer.
				c.send(p)
			}()
			seeds = append(seeds, s.heard.Bytes())
		}
	}
	return seeds
}

// greeting is the preface and SETTINGS of a client's.
const greeting = http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// FuzzFrames says anything to a server: it must come to an end, hold no more
// than it may, and answer in frames that a client can read.
func FuzzFrames(f *testing.F) {
	for _, seed := range seedScripts() {
		f.Add(seed)
	}
	server := &Server{
		Handler:  &handler{echoing, &observer{}},
		Limits:   Limits{StreamWindow: 1 << 16, ConnWindow: 1 << 17},
		Timeouts: Timeouts{Write: 100 * time.Millisecond, Read: 100 * time.Millisecond},
	}
	f.Fuzz(func(t *testing.T, say []byte) {
		s := newScript(append([]byte(greeting), say...))
		close(s.leave)
		done := make(chan struct{})
		go func() {
			defer close(done)
			server.Serve(context.Background(), s, nil)
		}()
		select {
		case <-done:
		case <-time.After(patient):
			t.Fatal("it hangs")
		}
		readable(t, s.heard.Bytes())
	})
}

func echoing(_ context.Context, q *exchange.Request) *exchange.Response {
	return &exchange.Response{Status: 200, Header: q.Header, Length: -1, Body: q.Body, Trailer: q.Trailer}
}

// readable wants frames and field blocks, of which the last may be cut off.
func readable(t *testing.T, heard []byte) {
	t.Helper()
	framer := http2.NewFramer(nil, bytes.NewReader(heard))
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	framer.MaxHeaderListSize = 1 << 20
	for {
		_, err := framer.ReadFrame()
		switch {
		case err == nil:
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return
		default:
			t.Fatalf("a client cannot read it: %v", err)
		}
	}
}

// FuzzBackendFrames says anything to a pool.
func FuzzBackendFrames(f *testing.F) {
	p := &rawPeer{enc: nil}
	p.enc = hpack.NewEncoder(&p.block)
	block := string(p.encode(":status", "200", "content-length", "4"))
	f.Add([]byte("\x00\x00" + string(rune(len(block))) + "\x01\x04\x00\x00\x00\x01" + block + "\x00\x00\x04\x00\x01\x00\x00\x00\x01body"))
	for _, seed := range seedScripts() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, say []byte) {
		s := newScript(append([]byte("\x00\x00\x00\x04\x00\x00\x00\x00\x00"), say...))
		close(s.leave)
		pool := &Pool{Dial: func(context.Context) (net.Conn, error) { return s, nil }, MaxConns: 1}
		dials := 0
		pool.Dial = func(context.Context) (net.Conn, error) {
			if dials++; dials > 1 {
				return nil, errors.New("once is enough")
			}
			return s, nil
		}
		done := make(chan string)
		go func() { done <- fetch(pool, plainPost("content")) }()
		select {
		case <-done:
		case <-time.After(patient):
			t.Fatal("it hangs")
		}
		pool.Close()
	})
}

// served is what a server's handler saw of a request.
type served struct {
	method, authority, path, body string
	header                        http.Header
}

// FuzzRequest holds what we take for a request to what x/net's server takes for
// one: what it refuses we refuse, and what both accept we read alike.
func FuzzRequest(f *testing.F) {
	for _, c := range headCases {
		s := newScript(nil)
		p := &rawPeer{conn: s, framer: http2.NewFramer(s, nil)}
		p.framer.AllowIllegalWrites = true
		p.enc = hpack.NewEncoder(&p.block)
		c.send(p)
		f.Add(p.block.Bytes(), []byte("body"), uint8(3))
	}
	for _, c := range hpackCases {
		s := newScript(nil)
		p := &rawPeer{conn: s, framer: http2.NewFramer(s, nil)}
		c.send(p)
		f.Add(s.heard.Bytes()[frameHeader:], []byte{}, uint8(0))
	}
	f.Fuzz(func(t *testing.T, block, body []byte, pad uint8) {
		if len(block) > 16000 || len(body) > 16000 {
			return
		}
		say := requestFrames(block, body, pad)
		ours, theirs := servedByUs(t, say), servedByThem(t, say)
		if ours == nil {
			return
		}
		if theirs == nil {
			t.Fatalf("we serve %+v, which x/net refuses", *ours)
		}
		same(t, ours, theirs)
	})
}

func requestFrames(block, body []byte, pad uint8) []byte {
	var out bytes.Buffer
	out.WriteString(greeting)
	framer := http2.NewFramer(&out, nil)
	framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true, EndStream: len(body) == 0, PadLength: pad})
	if len(body) > 0 {
		framer.WriteDataPadded(1, true, body, make([]byte, pad))
	}
	return out.Bytes()
}

func servedByUs(t *testing.T, say []byte) *served {
	t.Helper()
	seen := make(chan *served, 1)
	server := &Server{Handler: &handler{log: &observer{}, serve: func(_ context.Context, q *exchange.Request) *exchange.Response {
		body, err := io.ReadAll(q.Body)
		if err == nil {
			s := &served{method: q.Method, authority: q.Authority, path: q.Path, body: string(body), header: http.Header{}}
			if q.HasQuery {
				s.path += "?" + q.Query
			}
			for _, f := range q.Header {
				name := http.CanonicalHeaderKey(f.Name)
				s.header[name] = append(s.header[name], f.Value)
			}
			seen <- s
		}
		return &exchange.Response{Status: 204}
	}}}
	return play(t, say, seen, func(s *script) { server.Serve(context.Background(), s, nil) })
}

func servedByThem(t *testing.T, say []byte) *served {
	t.Helper()
	seen := make(chan *served, 1)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			seen <- &served{method: r.Method, authority: r.Host, path: r.RequestURI, body: string(body), header: r.Header}
		}
		w.WriteHeader(204)
	})
	quiet := &http.Server{ErrorLog: log.New(io.Discard, "", 0)}
	return play(t, say, seen, func(s *script) {
		//nolint:staticcheck // The judge needs no listener.
		(&http2.Server{}).ServeConn(s, &http2.ServeConnOpts{Handler: handler, BaseConfig: quiet})
	})
}

// play waits until a server has reacted, and returns what its handler saw.
func play(t *testing.T, say []byte, seen chan *served, serve func(*script)) *served {
	t.Helper()
	s := newScript(say)
	done := make(chan struct{})
	go func() {
		defer close(done)
		serve(s)
	}()
	timeout := time.After(patient)
	for !s.reacted() {
		select {
		case <-s.spoke:
		case <-done:
			close(s.leave)
			return pick(seen)
		case <-timeout:
			t.Fatal("it hangs")
		}
	}
	close(s.leave)
	s.Close()
	return pick(seen)
}

func pick(seen chan *served) *served {
	select {
	case s := <-seen:
		return s
	default:
		return nil
	}
}

// reacted reports whether stream 1 has come to an end.
func (s *script) reacted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	framer := http2.NewFramer(nil, bytes.NewReader(s.heard.Bytes()))
	for {
		f, err := framer.ReadFrame()
		if err != nil {
			return false
		}
		switch f := f.(type) {
		case *http2.GoAwayFrame, *http2.RSTStreamFrame:
			return true
		case *http2.HeadersFrame:
			if f.StreamEnded() {
				return true
			}
		case *http2.DataFrame:
			if f.StreamEnded() {
				return true
			}
		}
	}
}

func same(t *testing.T, ours, theirs *served) {
	t.Helper()
	if ours.method != theirs.method && ours.header.Get("Sec-Websocket-Key") == "" {
		t.Fatalf("method %q, x/net has %q", ours.method, theirs.method)
	}
	if ours.authority != theirs.authority || ours.body != theirs.body {
		t.Fatalf("got %+v, x/net has %+v", *ours, *theirs)
	}
	for name, values := range ours.header {
		if name == "Sec-Websocket-Key" {
			continue
		}
		got := theirs.header[name]
		for i, v := range values {
			if i >= len(got) || got[i] != v {
				t.Fatalf("%s: %q, x/net has %q", name, values, got)
			}
		}
	}
}
