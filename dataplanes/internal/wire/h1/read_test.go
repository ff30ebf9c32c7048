package h1

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing/iotest"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

var testLimits = Limits{
	HeadBytes: 4096, Fields: 20, TargetBytes: 1024, NameBytes: 64, TrailerBytes: 256, BodyBytes: 1 << 20,
}

// message is a message as it was read, all of it.
type message struct {
	head   *RequestHead
	answer *ResponseHead
	body   string
	// trailer is nil where none came.
	trailer exchange.Header
	// rest is what follows the message.
	rest string
}

// readRequest reads one request off raw, in pieces as r hands them out.
func readRequest(raw string, pieces func(io.Reader) io.Reader) (*message, error) {
	limits := testLimits.withDefaults()
	m := &message{head: &RequestHead{}}
	m.head.Reset(RequestInput{Limits: &limits})
	s := &stream{from: pieces(strings.NewReader(raw))}
	if err := headFrom(s, m.head.Parse); err != nil {
		return nil, err
	}
	c := &content{}
	c.reset(contentInput{stream: s, framing: m.head.Framing, length: m.head.Request.Length, limits: &limits, request: true})
	return m, m.finish(s, c)
}

func readResponse(raw, method string, pieces func(io.Reader) io.Reader) (*message, error) {
	limits := testLimits.withDefaults()
	m := &message{answer: &ResponseHead{}}
	m.answer.Reset(ResponseInput{Limits: &limits, Method: method})
	s := &stream{from: pieces(strings.NewReader(raw))}
	if err := headFrom(s, m.answer.Parse); err != nil {
		return nil, err
	}
	c := &content{}
	c.reset(contentInput{stream: s, framing: m.answer.Framing, length: m.answer.Response.Length, limits: &limits})
	return m, m.finish(s, c)
}

func headFrom(s *stream, parse func([]byte) (int, error)) error {
	for {
		n, err := parse(s.buffered())
		if err == nil {
			s.pin(n)
			return nil
		}
		if err != ErrMore {
			return err
		}
		if err := s.fill(); err != nil {
			return err
		}
	}
}

func (m *message) finish(s *stream, c *content) error {
	body, err := io.ReadAll(readerFunc(c.readInto))
	m.body, m.trailer = string(body), c.trailer
	if err != nil {
		return err
	}
	rest := string(s.buffered())
	more, _ := io.ReadAll(s.from.(io.Reader))
	m.rest = rest + string(more)
	return nil
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func inOne(r io.Reader) io.Reader { return r }

func oneByOne(r io.Reader) io.Reader { return iotest.OneByteReader(r) }

// describe says how a request was read, or why not.
func describe(m *message, err error) string {
	var why *Error
	switch {
	case errors.As(err, &why):
		return fmt.Sprintf("%d %s", why.Status, why.Reason)
	case err == exchange.ErrBodyTooLarge:
		return "413 body_too_large"
	case err != nil:
		return "incomplete"
	}
	q := &m.head.Request
	path := q.Path
	if q.HasQuery {
		path += "?" + q.Query
	}
	text := fmt.Sprintf("%s %s %s", q.Method, q.Authority, path)
	add := func(on bool, format string, args ...any) {
		if on {
			text += fmt.Sprintf(format, args...)
		}
	}
	add(q.Host != q.Authority, " host=%s", q.Host)
	for _, f := range q.Header {
		add(true, " %s=%q", f.Name, f.Value)
	}
	add(m.body != "", " body=%q", m.body)
	for _, f := range m.trailer {
		add(true, " trailer %s=%q", f.Name, f.Value)
	}
	add(m.rest != "", " rest=%q", m.rest)
	add(m.head.Continue, " continue")
	add(q.Upgrade != "", " upgrade=%s", q.Upgrade)
	add(m.head.Close, " close")
	return text
}

// describeAnswer does the same for a response.
func describeAnswer(m *message, err error) string {
	if err != nil {
		return describe(nil, err)
	}
	p := &m.answer.Response
	text := fmt.Sprintf("%d length=%d", p.Status, p.Length)
	add := func(on bool, format string, args ...any) {
		if on {
			text += fmt.Sprintf(format, args...)
		}
	}
	for _, f := range p.Header {
		add(true, " %s=%q", f.Name, f.Value)
	}
	add(m.body != "", " body=%q", m.body)
	for _, f := range m.trailer {
		add(true, " trailer %s=%q", f.Name, f.Value)
	}
	add(m.rest != "", " rest=%q", m.rest)
	add(m.answer.Upgrade != "", " upgrade=%s", m.answer.Upgrade)
	add(m.answer.Close, " close")
	return text
}
