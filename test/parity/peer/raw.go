package peer

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
)

// answerRaw serves one connection of a Close or Script endpoint. The request is
// read whole, so that closing does not reset what was written.
func answerRaw(ctx context.Context, c Config, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	request, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	seen := see(c, request, body)
	c.Record.Add(seen)
	if c.Kind == Script {
		io.WriteString(conn, c.Script)
	}
}
