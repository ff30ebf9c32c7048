package rawio

import (
	"errors"
	"io"
)

// readPlain reads with a buffer that is held meanwhile.
func readPlain(from io.Reader, datagram bool) (*[]byte, int, error) {
	buffer := Take(datagram)
	n, err := from.Read(*buffer)
	if n > 0 {
		return buffer, n, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return buffer, 0, nil
	}
	Give(buffer)
	return nil, 0, err
}
