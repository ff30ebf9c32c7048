package h2

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// session is a connection with a client.
type session struct {
	link
	server *Server
	about  *exchange.Conn
	ctx    context.Context
	began  time.Time
	ready  bool
	// drained is broadcast when no handler runs any more.
	drained sync.Cond
	// warned says that the first GOAWAY of a drain was sent.
	warned bool
}

var _ role = (*session)(nil)

// drainPing is told from other pings by its octets.
var drainPing = [8]byte{'d', 'r', 'a', 'i', 'n'}

// drainWait is how long a client that answers no ping gets after it was warned.
const drainWait = time.Second

func newSession(ctx context.Context, server *Server, c net.Conn) *session {
	s := &session{server: server, about: rawconn.About(c), ctx: ctx, began: time.Now()}
	s.limits, s.timeouts, s.role = &server.limits, server.Timeouts, s
	s.drained.L = &s.mu
	s.prepare(c)
	s.introduce()
	return s
}

// introduce says what we allow, before anything else can be said (RFC 9113,
// section 3.4). It is written by greet.
func (s *session) introduce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.limits
	s.out.buf = appendSettings(s.out.room(), []http2.Setting{
		{ID: http2.SettingMaxConcurrentStreams, Val: uint32(l.Streams)},
		{ID: http2.SettingInitialWindowSize, Val: uint32(l.firstWindow())},
		{ID: http2.SettingMaxHeaderListSize, Val: l.listBytes()},
		{ID: http2.SettingEnableConnectProtocol, Val: 1},
	})
	s.open(int64(l.ConnWindow))
}

func (s *session) run() {
	stop := context.AfterFunc(s.ctx, s.cut)
	defer stop()
	why := weakness(s.conn.Conn)
	if why == nil {
		why = s.greet()
	}
	if why == nil {
		why = s.loop()
	}
	if why != errGone && why != errIdle {
		s.refused(why)
	}
	s.shutdown(why)
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.active > 0 {
		s.drained.Wait()
	}
}

// greet sends our half of the preface and reads the other (RFC 9113, section
// 3.4).
func (s *session) greet() *Error {
	s.mu.Lock()
	s.kick()
	s.mu.Unlock()
	got := make([]byte, len(preface))
	if _, err := io.ReadFull(&s.in, got); err != nil {
		return s.unread(err)
	}
	if !bytes.Equal(got, preface) {
		return errPreface
	}
	h, err := s.framer.ReadFrameHeader()
	if err != nil {
		return s.unread(err)
	}
	if h.Type != http2.FrameSettings || h.Flags.Has(http2.FlagSettingsAck) {
		return errPreface
	}
	f, err := s.framer.ReadFrameForHeader(h)
	if err != nil {
		return s.unread(err)
	}
	s.ready = true
	return s.take(f)
}

func (s *session) eased() {}
func (s *session) goAway(uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave(http2.ErrCodeNo)
}

func (s *session) pong(data [8]byte) {
	if data == drainPing && s.warned {
		s.leave(http2.ErrCodeNo)
	}
}

func (s *session) freed() { s.closeIfDone() }

// due is called by the reader alone.
func (s *session) due() time.Time {
	t := &s.timeouts
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.ready:
		return later(s.began, t.Head)
	case !s.in.between && s.in.content:
		// Its reader has run out of time before.
		return later(s.in.last, 2*max(t.Read, t.Head))
	case !s.in.between:
		return later(s.in.frameSince, t.Head)
	case len(s.streams) == 0:
		return later(s.idleSince, t.Idle)
	case t.Ping <= 0:
		// What comes next may be the idleness.
		return later(time.Now(), t.Idle)
	case s.pinged:
		return later(s.heard, 2*t.Ping)
	default:
		return later(s.heard, t.Ping)
	}
}

// later returns the zero time for no bound.
func later(from time.Time, d time.Duration) time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return from.Add(d)
}

func (s *session) late(now time.Time) *Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.ready:
		return errPrefaceSlow
	case !s.in.between && s.in.content:
		return errContentSlow
	case !s.in.between:
		return errBlockSlow
	case len(s.streams) == 0:
		return errIdle
	case s.timeouts.Ping > 0:
		return s.silent(now)
	default:
		return nil
	}
}

// drain tells the client in two steps, so that no request that is on its way is
// lost (RFC 9113, section 6.8).
func (s *session) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.warned || s.leaving || s.dead != nil {
		return
	}
	s.warned = true
	s.out.buf = appendGoAway(s.out.room(), mostWindow, http2.ErrCodeNo)
	s.askPing(drainPing)
	time.AfterFunc(drainWait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.leave(http2.ErrCodeNo)
	})
}

// cut ends the connection at once.
func (s *session) cut() {
	s.mu.Lock()
	s.abort(errClosed)
	if s.out.err == nil {
		s.out.err = errClosed
	}
	s.conn.Abort()
	s.mu.Unlock()
}

// head takes a field block of a client's.
func (s *session) head(b *fieldBlock) *Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.stream%2 == 0 {
		return errStreamID
	}
	if st := s.streams[b.stream]; st != nil {
		return st.trailers(b)
	}
	if b.stream <= s.lastID {
		return s.again(b.stream)
	}
	s.lastID = b.stream
	if s.leaving {
		// The client was told not to wait for an answer; more of it may be on its way.
		s.closed.bury(b.stream, byUs)
		return s.pay(costReset)
	}
	switch {
	case b.self:
		return errSelf
	case len(s.streams) >= s.limits.Streams || s.active >= 2*s.limits.Streams:
		return errRefused
	}
	return s.begin(b)
}

// again judges a head on a stream that has ended (RFC 9113, section 5.1).
func (s *session) again(id uint32) *Error {
	switch s.closed.how(id) {
	case byUs:
		return s.pay(costReset)
	case byPeer:
		return errStreamClosed
	case byEnd:
		return errEnded
	default:
		return errStreamID
	}
}

func (s *session) begin(b *fieldBlock) *Error {
	sv := newServing(s, b.stream)
	if why := sv.read(b); why != nil && why.Scope != OfRequest {
		sv.free()
		s.refused(why)
		return why
	} else if why != nil {
		sv.refuse(why)
	}
	s.streams[b.stream] = &sv.stream
	s.active++
	if b.end {
		if err := sv.endRemote(); err != nil {
			s.active--
			s.streams[b.stream] = nil
			delete(s.streams, b.stream)
			return err
		}
	}
	pool.start(sv)
	return nil
}

// trailers takes the fields behind a request's content.
func (st *stream) trailers(b *fieldBlock) *Error {
	switch {
	case st.remoteEnd:
		return errStreamClosed
	case !b.end:
		return errTrailerOpen
	}
	trailer, err := readTrailer(b)
	if err != nil {
		return err
	}
	if !st.deaf {
		st.trailer = trailer
	}
	return st.endRemote()
}

func (s *session) refused(why *Error) {
	if tell := s.server.Refused; tell != nil {
		tell(s.about, why)
	}
}
