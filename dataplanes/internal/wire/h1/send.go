package h1

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/dataplanes/internal/guard"
	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/rawconn"
)

// errSource says that the content that was to be sent broke off.
var errSource = errors.New("http/1.1: the content to send broke off")

// largeSteps is in what pieces content is moved that fills smaller ones.
const largeSteps = 256 << 10

var largeBuffers = sync.Pool{New: func() any { return new([largeSteps]byte) }}

// larges bounds those in use, to 32 MiB: each is held for as long as its peer
// takes what is in it, which a slow one chooses. Who finds none goes on in small
// steps.
var larges = guard.NewBudget(128)

// sender writes content behind a head that is in out already.
type sender struct {
	to      *rawconn.Conn
	body    io.Reader
	framing Framing
	length  int64
	// trailer is looked at when the body has ended.
	trailer *exchange.Header
	// timeout bounds each write; 0 is no bound. now is when the first is made.
	timeout time.Duration
	now     time.Time
	// until bounds all of them; the zero time is no bound.
	until time.Time

	sent int64
	// wrote says that the peer has got something.
	wrote bool
	full  bool
	small []byte
	large *[largeSteps]byte
}

// send writes out and then the content, the first of it together with out, whose
// storage it uses. A piece of content is sent on when it comes. An error of the
// body's is wrapped with errSource.
func (s *sender) send(out []byte) error {
	defer s.end()
	if s.framing == NoBody {
		return s.write(out)
	}
	s.small = out[:0]
	if !s.ready() {
		if err := s.write(out); err != nil {
			return err
		}
		out = out[:0]
	}
	for buf := out; ; buf = s.next() {
		whole, done, err := s.piece(buf)
		if err != nil {
			return err
		}
		if err = s.write(whole); err != nil || done {
			return err
		}
	}
}

// ready reports whether content is there to be sent with the head. A head is not
// held back for content that is still to come.
func (s *sender) ready() bool {
	if body, ok := s.body.(interface{ ready() bool }); ok {
		return body.ready()
	}
	return s.length >= 0
}

// next returns the empty buffer for the next piece: a large one as long as
// content comes faster than small ones take it.
func (s *sender) next() []byte {
	if !s.full {
		s.end()
		return s.small
	}
	if s.large == nil {
		if !larges.Take(1) {
			return s.small
		}
		s.large = largeBuffers.Get().(*[largeSteps]byte)
	}
	return s.large[:0]
}

func (s *sender) end() {
	if s.large != nil {
		largeBuffers.Put(s.large)
		larges.Give(1)
		s.large = nil
	}
}

func (s *sender) write(b []byte) error {
	if s.wrote {
		s.now = time.Now()
	}
	timeout := s.timeout
	if !s.until.IsZero() {
		timeout = max(s.until.Sub(s.now), 1)
	}
	n, err := s.to.Send(b, s.now, timeout)
	s.wrote = s.wrote || n > 0
	return err
}

// piece reads once, behind what is in buf.
func (s *sender) piece(buf []byte) (whole []byte, done bool, err error) {
	if cap(buf)-len(buf) < leastRoom {
		buf = append(make([]byte, 0, len(buf)+bufferSize), buf...)
	}
	room := buf[len(buf) : cap(buf)-chunkTail]
	if s.framing == Chunked {
		room = room[chunkRoom:]
	} else if s.framing == Sized && int64(len(room)) > s.length-s.sent {
		room = room[:s.length-s.sent]
	}
	n, err := s.body.Read(room)
	s.sent += int64(n)
	s.full = n == len(room)
	done, err = s.ended(err)
	if err != nil {
		return nil, false, err
	}
	if s.framing == Chunked {
		return s.chunk(buf, n, done)
	}
	return buf[:len(buf)+n], done, nil
}

func (s *sender) chunk(buf []byte, n int, done bool) (whole []byte, _ bool, err error) {
	if n > 0 {
		buf = sealChunk(buf, n)
	}
	if done {
		buf, err = appendLastChunk(buf, s.trailer)
	}
	return buf, done, err
}

// ended tells whether the body is at its end, which for one of known length is
// its length and nothing else.
func (s *sender) ended(err error) (bool, error) {
	if s.framing == Sized && s.sent == s.length && (err == nil || errors.Is(err, io.EOF)) {
		return true, nil
	}
	switch {
	case err == nil:
		return false, nil
	case errors.Is(err, io.EOF) && s.framing != Sized:
		return true, nil
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return false, errors.Join(errSource, err)
}
