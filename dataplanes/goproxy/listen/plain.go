package listen

import (
	"crypto/tls"
	"errors"
	"io"
	"slices"
	"time"
)

// answerPlain tells a client that speaks HTTP where TLS is spoken, as its user
// would else see an empty answer.
func answerPlain(c *conn, err error) {
	var header tls.RecordHeaderError
	if !errors.As(err, &header) || header.Conn == nil || !beginsHTTP(header.RecordHeader) {
		return
	}
	const text = "This port speaks HTTPS: use https:// instead of http://.\n"
	_, _ = io.WriteString(c, "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"+text)
	// What is left unread would make the end a reset, and the answer be lost.
	_ = c.CloseWrite()
	_ = c.SetReadDeadline(time.Now().Add(linger))
	_, _ = io.CopyN(io.Discard, c, lingerBytes)
}

const (
	linger      = 500 * time.Millisecond
	lingerBytes = 64 << 10
)

// beginsHTTP looks at what crypto/tls has taken for a record's header.
func beginsHTTP(begin [5]byte) bool {
	return slices.Contains([]string{"GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "PATCH", "DELET"}, string(begin[:]))
}
