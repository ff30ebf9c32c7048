package haproxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"time"
)

// Socket asks HAProxy: a worker over its admin socket, or the master over its own.
//
// It is not client-native's runtime client: that one makes a connection for each
// command, reads by the KiB, cannot be told to stop waiting, and takes a map's rows
// only as many at a time as one command holds, in versions of its own each. Here
// commands that change something together go together.
type Socket struct {
	path string
	// patience bounds the wait for an answer.
	patience time.Duration
}

// A worker answers at once, or does not work. A reload of a large configuration takes
// its time.
const (
	workerTime = 10 * time.Second
	masterTime = 2 * time.Minute
)

// Ask sends a command and returns what is answered.
func (s *Socket) Ask(ctx context.Context, command string) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", s.path)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(s.patience))
	if _, err := io.WriteString(conn, command+"\n"); err != nil {
		return "", err
	}
	if unix, ok := conn.(*net.UnixConn); ok {
		_ = unix.CloseWrite()
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

// command is one of the runtime API.
type command struct {
	line string
	// payload follows the line; it has no empty line.
	payload string
	// wants is what the answer must hold, for commands that tell of success alone.
	wants string
}

// loudly has HAProxy begin each answer with how bad it is.
const loudly = "set severity-output number"

// longestLine leaves room in a buffer of HAProxy's, of 16 KiB.
const longestLine = 15 << 10

// Do sends commands in their order, many at once, up to the first that fails.
func (s *Socket) Do(ctx context.Context, all []command) error {
	line := loudly
	for i, c := range all {
		alone := c.payload != "" || c.wants != ""
		if (alone || len(line)+len(c.line) > longestLine) && line != loudly {
			if err := s.one(ctx, command{line: line}); err != nil {
				return err
			}
			line = loudly
		}
		if alone {
			if err := s.one(ctx, command{loudly + ";" + c.line, c.payload, c.wants}); err != nil {
				return err
			}
			continue
		}
		line += ";" + c.line
		if i == len(all)-1 {
			return s.one(ctx, command{line: line})
		}
	}
	if line == loudly {
		return nil
	}
	return s.one(ctx, command{line: line})
}

// failed finds what an answer tells of an error, "[3]: No such server", behind how bad
// it is.
var failed = regexp.MustCompile(`(?m)^\[[0-3]\]: (.*)$`)

func (s *Socket) one(ctx context.Context, c command) error {
	text := c.line
	if c.payload != "" {
		text += " <<\n" + strings.TrimRight(c.payload, "\n") + "\n"
	}
	if len(text) > longestLine+1<<10 {
		return fmt.Errorf("a command of %d bytes is more than HAProxy reads", len(text))
	}
	answer, err := s.Ask(ctx, text)
	if err != nil {
		return err
	}
	if bad := failed.FindStringSubmatch(answer); bad != nil {
		return fmt.Errorf("HAProxy answers: %s", clean(bad[1]))
	}
	if c.wants != "" && !strings.Contains(answer, c.wants) {
		return fmt.Errorf("HAProxy answers: %s", clean(answer))
	}
	return nil
}
