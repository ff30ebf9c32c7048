package backend

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// Big is the size of the body of paths that end in /1m.
const Big = 1 << 20

// Small is the body of every other path, but those that end in /head: they
// give back the request's header as it came.
const Small = "ok\n"

var (
	small = answer([]byte(Small))
	big   = answer(bytes.Repeat([]byte("0123456789abcdef"), Big/16))
	blank = []byte("\r\n\r\n")
)

func answer(body []byte) []byte {
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", len(body))
	return append([]byte(head), body...)
}

// HTTP1 serves every connection of a listener until it is closed.
func HTTP1(l net.Listener) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			_ = serve1(conn)
		}()
	}
}

// serve1 reads requests into one buffer, whose header must fit.
func serve1(conn net.Conn) error {
	buf, have := make([]byte, 64<<10), 0
	for {
		end := bytes.Index(buf[:have], blank)
		if end < 0 {
			n, err := conn.Read(buf[have:])
			if err != nil || n == 0 {
				return errors.Join(err, errors.New("no whole header"))
			}
			have += n
			continue
		}
		head := string(buf[:end])
		have = copy(buf, buf[end+len(blank):have])
		length, err := bodyLength(head)
		if err != nil {
			return err
		}
		if have, err = discard(conn, buf, discarded{have, length}); err != nil {
			return err
		}
		if _, err := conn.Write(response(head)); err != nil {
			return err
		}
	}
}

// discarded says how many bytes are in the buffer, and how many of these and
// the following ones are a body.
type discarded struct{ have, body int }

func discard(conn net.Conn, buf []byte, d discarded) (int, error) {
	for d.body > d.have {
		d.body -= d.have
		n, err := conn.Read(buf)
		if err != nil {
			return 0, err
		}
		d.have = n
	}
	return copy(buf, buf[d.body:d.have]), nil
}

func response(head string) []byte {
	line, _, _ := strings.Cut(head, "\r\n")
	path := strings.TrimSuffix(line, " HTTP/1.1")
	switch {
	case strings.HasSuffix(path, "/1m"):
		return big
	case strings.HasSuffix(path, "/head"):
		return answer([]byte(head))
	}
	return small
}

// bodyLength knows Content-Length alone: no load here is sent in chunks.
func bodyLength(head string) (int, error) {
	for field := range strings.SplitSeq(head, "\r\n") {
		name, value, _ := strings.Cut(field, ":")
		switch {
		case strings.EqualFold(name, "content-length"):
			return strconv.Atoi(strings.TrimSpace(value))
		case strings.EqualFold(name, "transfer-encoding"):
			return 0, errors.New("chunked bodies are not read here")
		}
	}
	return 0, nil
}

// UDP sends every datagram back.
func UDP(conn net.PacketConn) error {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := conn.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return io.EOF
		}
		if err == nil {
			_, _ = conn.WriteTo(buf[:n], from)
		}
	}
}
