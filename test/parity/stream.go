package parity

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// wireConn is a stream, or the socket of a client of datagrams.
type wireConn struct {
	net.Conn
	reader *bufio.Reader
	// greeting is what a stream's endpoint said first.
	greeting []byte
}

func (p *play) keep(name string, c *wireConn) {
	if p.conns == nil {
		p.conns = map[string]*wireConn{}
	}
	p.conns[name] = c
}

// streams makes a step's connections.
func (p *play) streams(ctx context.Context, s *Stream) ([]*answer, error) {
	var answers []*answer
	for range max(s.Times, 1) {
		a, err := p.stream(ctx, s)
		if err != nil {
			return nil, err
		}
		answers = append(answers, a)
	}
	return answers, nil
}

// stream makes one exchange, or goes on with an open connection. A connection
// that the proxy refuses is an answer.
func (p *play) stream(ctx context.Context, s *Stream) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn := p.conns[s.Use]
	if conn == nil && s.Use != "" {
		return nil, fmt.Errorf("use: no stream %q is open", s.Use)
	}
	a := &answer{}
	if conn == nil {
		if conn, a.err = p.openStream(ctx, s, a); a.err != nil {
			return a, nil
		}
	}
	a.body = conn.greeting
	a.readSeen()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if err := conn.bounceAll(s); err != nil {
		return nil, err
	}
	switch {
	case s.Open != "":
		p.keep(s.Open, conn)
		return a, nil
	case s.Use != "":
		return a, nil
	}
	return a, conn.finish()
}

// openStream connects and reads who answers.
func (p *play) openStream(ctx context.Context, s *Stream, a *answer) (*wireConn, error) {
	l, err := p.link(s.Target, or(s.Host, "a.example"), s.TLS)
	if err != nil {
		return nil, err
	}
	conn, err := l.dial(ctx)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, s.Greeting); err != nil {
		return nil, err
	}
	if l.tls != nil {
		if conn, err = secure(ctx, conn, l.tls, s.Fragment, a); err != nil {
			return nil, err
		}
	}
	made := &wireConn{Conn: conn, reader: bufio.NewReader(conn)}
	if made.greeting, err = made.reader.ReadBytes('\n'); err != nil {
		conn.Close()
		return nil, fmt.Errorf("closed before anybody answered: %w", err)
	}
	return made, nil
}

func secure(ctx context.Context, conn net.Conn, config *tls.Config, fragment bool, a *answer) (net.Conn, error) {
	below := conn
	if fragment {
		below = &fragmented{Conn: conn}
	}
	made := tls.Client(below, config)
	if err := made.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	a.leaf = made.ConnectionState().PeerCertificates[0]
	return made, nil
}

// fragmented cuts the first record into records and segments of a byte.
type fragmented struct {
	net.Conn
	began bool
}

// Write writes, the first record byte by byte.
func (f *fragmented) Write(p []byte) (int, error) {
	const header = 5
	if f.began || len(p) < header {
		return f.Conn.Write(p)
	}
	f.began = true
	for _, b := range p[header:] {
		for _, one := range []byte{p[0], p[1], p[2], 0, 1, b} {
			if _, err := f.Conn.Write([]byte{one}); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

func (c *wireConn) bounceAll(s *Stream) error {
	for _, text := range s.Send {
		if err := c.bounce([]byte(text)); err != nil {
			return err
		}
	}
	if s.Bytes == 0 {
		return nil
	}
	return c.bounce(bytes.Repeat([]byte("parity\n"), s.Bytes/7+1)[:s.Bytes])
}

// bounce writes while it reads, so that neither side waits for the other.
func (c *wireConn) bounce(sent []byte) error {
	wrote := make(chan error, 1)
	go func() {
		_, err := c.Write(sent)
		wrote <- err
	}()
	got := make([]byte, len(sent))
	n, err := io.ReadFull(c.reader, got)
	if err := firstError(err, <-wrote); err != nil {
		return fmt.Errorf("%d of %d bytes came back: %w", n, len(sent), err)
	}
	if !bytes.Equal(got, sent) {
		return fmt.Errorf("other bytes came back than the %d that were sent", len(sent))
	}
	return nil
}

// finish closes our side, and wants the other's end without an error.
func (c *wireConn) finish() error {
	defer c.Close()
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return nil
	}
	if err := half.CloseWrite(); err != nil {
		return err
	}
	rest, err := io.ReadAll(c.reader)
	if err != nil || len(rest) > 0 {
		return fmt.Errorf("after the end of our side %d bytes came, and %w", len(rest), firstError(err, errors.New("the end")))
	}
	return nil
}

// datagrams sends each client's datagrams.
func (p *play) datagrams(ctx context.Context, s *Step) ([]*answer, error) {
	d, wait := s.Datagram, patience
	if s.Eventually || s.Expect.Error != "" {
		wait = unanswered
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var answers []*answer
	for range max(d.Times, 1) {
		conn, err := p.datagramConn(ctx, d)
		if err != nil {
			return nil, err
		}
		for _, text := range orOne(d.Send) {
			answers = append(answers, conn.ask(text, wait))
		}
		switch {
		case d.Open != "":
			p.keep(d.Open, conn)
		case d.Use == "":
			conn.Close()
		}
	}
	return answers, nil
}

func orOne(send []string) []string {
	if len(send) == 0 {
		return []string{"parity"}
	}
	return send
}

func (p *play) datagramConn(ctx context.Context, d *Datagram) (*wireConn, error) {
	if d.Use != "" {
		if conn := p.conns[d.Use]; conn != nil {
			return conn, nil
		}
		return nil, fmt.Errorf("use: no client %q is open", d.Use)
	}
	l, err := p.link(d.Target, "", false)
	if err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "udp", l.address)
	return &wireConn{Conn: conn}, err
}

// unanswered is how long an answer is waited for that is not to come, or is asked for
// again: one that is lost on loopback was dropped by the proxy.
const unanswered = 2 * time.Second

func (c *wireConn) ask(text string, wait time.Duration) *answer {
	a := &answer{}
	_ = c.SetDeadline(time.Now().Add(wait))
	if _, a.err = io.WriteString(c.Conn, text); a.err != nil {
		return a
	}
	page := make([]byte, 64<<10)
	n, err := c.Conn.Read(page)
	a.body, a.err, a.length = page[:n], err, n
	a.readSeen()
	return a
}
