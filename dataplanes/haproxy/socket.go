package haproxy

import (
	"context"
	"io"
	"net"
	"time"
)

// Socket asks HAProxy: a worker over its admin socket, or the master over its own.
type Socket struct{ path string }

// answerTime bounds the wait for an answer. A reload of a large configuration is
// the longest.
const answerTime = 2 * time.Minute

// Ask sends a command and returns what is answered.
func (s *Socket) Ask(ctx context.Context, command string) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", s.path)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(answerTime))
	if _, err := io.WriteString(conn, command+"\n"); err != nil {
		return "", err
	}
	if unix, ok := conn.(*net.UnixConn); ok {
		_ = unix.CloseWrite()
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}
