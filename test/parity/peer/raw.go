package peer

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
)

// answerRaw serves one connection of a Close, Script or Verbatim endpoint. The request is
// read whole, so that closing does not reset what was written.
func answerRaw(ctx context.Context, c Config, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	var got bytes.Buffer
	request, err := http.ReadRequest(bufio.NewReader(io.TeeReader(conn, &got)))
	if err != nil {
		return
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	seen := see(c, request, body)
	c.Record.Add(seen)
	switch c.Kind {
	case Script:
		io.WriteString(conn, c.Script)
	case Verbatim:
		fmt.Fprintf(conn, "HTTP/1.1 200 Fine\r\nX-MixedCase: Yes\r\nlower-case: yes\r\nContent-Length: %d\r\n\r\n%s", got.Len(), got.Bytes())
	default:
	}
}
