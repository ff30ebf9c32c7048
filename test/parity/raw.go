package parity

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"
)

// quiet is how long an open connection is listened to once whole answers have
// come: it is what "nothing more" costs.
const quiet = 150 * time.Millisecond

// raw writes a step's bytes and checks what comes back.
func (p *play) raw(ctx context.Context, id string, r *Raw) (string, error) {
	l, err := p.link(r.Target, "a.example", r.TLS)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := l.open(ctx, "http/1.1")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	text := strings.ReplaceAll(p.fill(r.Send), "${id}", id)
	// The proxy may close while this is still being written; what it said
	// before counts.
	_, writeErr := io.WriteString(conn, text)
	got, closed := listen(conn, r.Closed)
	return got, firstError(r.check(got, closed), ignoreIf(got != "" || closed, writeErr))
}

func ignoreIf(ignore bool, err error) error {
	if ignore {
		return nil
	}
	return err
}

// listen reads answers until the connection ends, or, unless it is to end, until
// it is quiet behind a whole answer.
func listen(conn net.Conn, toTheEnd bool) (got string, closed bool) {
	var all bytes.Buffer
	reader := bufio.NewReader(io.TeeReader(conn, &all))
	conn.SetReadDeadline(time.Now().Add(patience))
	for {
		response, err := http.ReadResponse(reader, nil)
		if err == nil {
			_, err = io.Copy(io.Discard, response.Body)
		}
		if err != nil {
			_, restErr := io.Copy(io.Discard, reader)
			return all.String(), !errors.Is(firstError(restErr, err), os.ErrDeadlineExceeded)
		}
		if !toTheEnd {
			conn.SetReadDeadline(time.Now().Add(quiet))
		}
	}
}

func (r *Raw) check(got string, closed bool) error {
	var problems []error
	for _, pattern := range r.Receive {
		if ok, err := regexp.MatchString("(?s)"+pattern, got); err != nil || !ok {
			problems = append(problems, fmt.Errorf("nothing that came matches %q (%v)", pattern, err))
		}
	}
	for _, pattern := range r.Never {
		if ok, err := regexp.MatchString("(?s)"+pattern, got); err != nil || ok {
			problems = append(problems, fmt.Errorf("what came matches %q, which must never come (%v)", pattern, err))
		}
	}
	if r.Closed && !closed {
		problems = append(problems, errors.New("the connection is still open and must be closed"))
	}
	return errors.Join(problems...)
}
