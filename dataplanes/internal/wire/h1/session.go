package h1

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/pace"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// session is a connection with a client.
type session struct {
	server *Server
	conn   *rawconn.Conn
	// carried is what outlives the session where its connection is parked, which
	// parked says that it is.
	carried
	parked bool
	about  *exchange.Conn
	life   life
	in     stream
	// patience is how long the next read may take.
	patience time.Duration
	// pace judges how fast a body comes that is read; the zero value nobody.
	pace pace.Pace
	// handOver is what was read of a connection that speaks HTTP/2.
	handOver []byte
	// waited counts the glances at a fresh connection of a server that drains.
	waited int
	// state tells Drain whether an exchange would be lost.
	state atomic.Int32
	// glances counts those that saw the exchange in work; 0 while there is none.
	glances atomic.Int32
	// streams is true while an answer is sent whose end nobody knows: what the
	// client is sent may be what it waits for, so that it may be silent.
	streams atomic.Bool
}

// The states of a session. A drain takes an idle connection away at once, and a
// fresh one, whose first request may be on its way, after freshGlances.
const (
	fresh int32 = iota
	busy
	idle
	drained
)

const freshGlances = int(5 * time.Second / glance)

func newSession(server *Server, c carried) *session {
	s := &session{server: server, conn: rawconn.New(c.given), carried: c, about: rawconn.About(c.given)}
	s.life.begin(c.ctx)
	// A deadline may come a little early: see deadline.due.
	s.in.from, s.conn.Least = s, pace.Over(server.limits.Rate, server.Timeouts.Write*3/4)
	return s
}

// work is what a session needs while an exchange is in work. It is pooled, so
// that an idle connection holds none.
type work struct {
	head  RequestHead
	words exchange.Words
	out   []byte
	body  *requestBody
	now   time.Time
	conn  *rawconn.Conn
	stall time.Duration
}

var _ exchange.Interim = (*work)(nil)

var works = sync.Pool{New: func() any { return &work{out: make([]byte, 0, bufferSize)} }}

// Read reads for the stream, within the time of what is being waited for.
func (s *session) Read(p []byte) (int, error) {
	for {
		patience := s.patience
		if s.streams.Load() {
			patience = 0
		}
		now := time.Now()
		if err := s.conn.ReadWithin(now, patience); err != nil {
			return 0, err
		}
		n, err := s.conn.Read(p)
		if n > 0 && s.tooSlow(now, n) {
			return 0, os.ErrDeadlineExceeded
		}
		again := patience > 0 && s.streams.Load() && !s.conn.Interrupted()
		if n > 0 || !again || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}

// tooSlow judges a client that was waited for since a time.
func (s *session) tooSlow(since time.Time, n int) bool {
	return s.pace.On() && !s.streams.Load() && s.pace.Waited(time.Since(since), n)
}

// serve runs a session until its connection has ended or was parked.
func (s *session) serve() {
	defer s.life.cut()
	if s.run(); !s.parked {
		s.server.remove(s)
	}
}

func (s *session) run() {
	defer s.recover()
	defer s.in.free()
	for s.await() {
		w := works.Get().(*work) //nolint:errcheck,forcetypeassert // The pool holds nothing else.
		again := s.exchange(w)
		s.in.release()
		w.head.Reset(RequestInput{Limits: &s.server.limits})
		w.words.Reset()
		w.conn = nil
		works.Put(w)
		if !again {
			return
		}
	}
}

// Send sends a response before the final one.
func (w *work) Send(status int, header exchange.Header) {
	head, err := AppendResponse(w.out[:0], &ResponseOutput{
		Response: &exchange.Response{Status: status, Header: header}, Method: w.head.Request.Method, Minor: 1,
	})
	if err != nil {
		return
	}
	if w.body != nil {
		w.body.answering.Lock()
		defer w.body.answering.Unlock()
	}
	_, _ = w.conn.Send(head, time.Now(), w.stall)
}

// recover keeps a panic of one exchange from ending the others.
func (s *session) recover() {
	if v := recover(); v != nil && s.server.Panicked != nil {
		s.server.Panicked(v)
	}
}

// await waits for the first octets of the next request.
func (s *session) await() bool {
	if len(s.in.buffered()) > 0 {
		return true
	}
	// A drain that came before this looks at the state, one that comes later sees
	// the session as idle and interrupts it.
	before := fresh
	if s.served {
		before = idle
		s.state.Store(idle)
		if s.server.draining.Load() {
			return false
		}
	}
	if !s.wait() || !s.state.CompareAndSwap(before, busy) {
		return false
	}
	s.due = time.Time{}
	return s.served || !s.speaksHTTP2()
}

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// speaksHTTP2 looks at the first octets of a connection, and takes it away from
// the session if they are no HTTP/1.1.
func (s *session) speaksHTTP2() bool {
	if s.server.Preface == nil || s.about.TLS {
		return false
	}
	const enough = len("PRI ")
	for {
		b := s.in.buffered()
		if len(b) > len(preface) {
			b = b[:len(preface)]
		}
		if !strings.HasPrefix(preface, inPlace(b)) {
			return false
		}
		if len(b) >= enough {
			break
		}
		s.patience = s.server.Timeouts.Head
		if s.in.fill() != nil {
			return false
		}
	}
	s.handOver = append([]byte(nil), s.in.buffered()...)
	_ = s.conn.ReadWithin(time.Time{}, 0)
	return true
}

// drain ends a session that is idle.
func (s *session) drain() {
	if s.state.CompareAndSwap(idle, drained) {
		s.conn.Interrupt()
	}
}

// look cuts off the exchange of a client that has gone away. It looks less often
// after what others than a hurried client wait for.
func (s *session) look() {
	const often, seldom = 5, 5
	if s.server.draining.Load() && s.state.Load() == fresh {
		if s.waited++; s.waited >= freshGlances && s.state.CompareAndSwap(fresh, drained) {
			s.conn.Interrupt()
		}
	}
	n := s.glances.Load()
	if n == 0 || !s.glances.CompareAndSwap(n, n+1) || n == 1 || n > often && n%seldom != 0 {
		return
	}
	if s.conn.Gone() {
		s.life.cut()
	}
}

// exchange serves one request, and reports whether the connection can serve
// another.
func (s *session) exchange(w *work) bool {
	w.now = time.Now()
	w.head.Reset(RequestInput{Limits: &s.server.limits, TLS: s.about.TLS, Slashes: s.server.Slashes})
	n, err := s.readHead(w)
	if err == nil {
		err = w.head.admit()
	}
	in := exchange.Incoming{Request: &w.head.Request, Conn: s.about}
	if err != nil {
		why := refusal(err)
		if why == nil {
			return false
		}
		in.Refused, in.Reason = why.Status, why.Reason
		w.head.refused()
	}
	s.begin(w, n)
	defer s.finish(w)
	s.glances.Store(1)
	answer := s.server.Handler.Serve(&s.life, in)
	if in.Refused != 0 {
		answer.Response.Close = true
	}
	again := s.answer(w, answer)
	s.glances.Store(0)
	s.served = true
	return again
}

// refusal returns the refusal in an error. Nil is the end of a connection.
func refusal(err error) *Error {
	var why *Error
	if errors.As(err, &why) {
		return why
	}
	return nil
}

// readHead reads until the head is whole.
func (s *session) readHead(w *work) (int, error) {
	n, err := w.head.Parse(s.in.buffered())
	if err != ErrMore { //nolint:errorlint // It is never wrapped.
		return n, err
	}
	until := w.now.Add(s.server.Timeouts.Head)
	for err == ErrMore { //nolint:errorlint // It is never wrapped.
		s.patience = 0
		if s.server.Timeouts.Head > 0 {
			s.patience = max(time.Until(until), 1)
		}
		if err = s.in.fill(); err != nil {
			// An empty line behind a request is none: an answer to it could be taken for
			// the next one's.
			if s.served && strings.Trim(inPlace(s.in.buffered()), "\r\n") == "" {
				return 0, io.EOF
			}
			return 0, headError(err)
		}
		n, err = w.head.Parse(s.in.buffered())
	}
	return n, err
}

func headError(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errHeadTimeout
	}
	return err
}

func (s *session) begin(w *work, n int) {
	s.in.pin(n)
	q := &w.head.Request
	q.Client, q.Peer, q.Port = s.about.Client, s.about.Client.Addr(), s.about.Local.Port()
	q.Body, q.Words = exchange.NoBody{}, &w.words
	if w.conn, w.stall = s.conn, s.server.Timeouts.Write; w.head.Minor == 1 {
		q.Interim = w
	}
	if w.head.Framing == NoBody {
		return
	}
	s.patience = s.server.Timeouts.Read
	s.pace = pace.Pace{Least: s.server.limits.Rate, Grace: s.patience}
	w.body = &requestBody{session: s, conn: s.conn, wait: w.head.Continue}
	w.body.content.reset(contentInput{
		stream: &s.in, framing: w.head.Framing, length: q.Length, limits: &s.server.limits, request: true,
	})
	w.body.content.trailer = w.head.announced()
	if q.Body = w.body; w.head.Framing == Chunked {
		q.Trailer = &w.body.content.trailer
	}
}

// finish takes the body away from whoever still holds it.
func (s *session) finish(w *work) {
	if w.body != nil {
		w.body.end()
		w.body = nil
	}
	s.streams.Store(false)
	s.pace = pace.Pace{}
}

// plainAnswer answers with a status alone, and closes.
func (s *session) plainAnswer(w *work, status int) {
	out := ResponseOutput{Response: &exchange.Response{Status: status}, Minor: 1, Close: true, Now: w.now}
	head, err := AppendResponse(w.out[:0], &out)
	if err != nil {
		return
	}
	if _, err = s.conn.Send(head, time.Now(), s.server.Timeouts.Write); err == nil {
		s.linger()
	}
}

const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 256 << 10
)

// linger ends our side and reads on for a moment: closing a connection with
// unread octets resets it, and the client may never see why (RFC 9112, section
// 9.6). One that sends on and on is left alone for the rest of the moment.
func (s *session) linger() {
	until := time.Now().Add(lingerTime)
	if s.conn.CloseWrite() != nil || s.conn.Conn.SetReadDeadline(until) != nil {
		return
	}
	s.in.keep = 0
	s.in.acquire()
	for total := 0; total < lingerBytes; {
		n, err := s.conn.Read(s.in.buf)
		if err != nil {
			return
		}
		total += n
	}
	<-time.After(time.Until(until))
}
