package load

import (
	"errors"
	"io"
	"syscall"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// keptError is one of a connection that had a request before.
type keptError struct{ error }

func (e keptError) Unwrap() error { return e.error }

// isEnd says whether an error is that a server has ended a connection in good order:
// one that was kept, or one of HTTP/3, which says so.
func isEnd(err error) bool {
	if kept, ok := errors.AsType[keptError](err); ok {
		for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
			if errors.Is(kept, end) {
				return true
			}
		}
	}
	if h3, ok := errors.AsType[*http3.Error](err); ok {
		return h3.Remote && h3.ErrorCode == http3.ErrCodeNoError
	}
	if _, ok := errors.AsType[*quic.StatelessResetError](err); ok {
		return true
	}
	closed, ok := errors.AsType[*quic.ApplicationError](err)
	return ok && closed.Remote && http3.ErrCode(closed.ErrorCode) == http3.ErrCodeNoError
}
