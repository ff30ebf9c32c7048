package hello

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// MaxBytes bounds what is read of a client before its name is known, record
// headers included. Hellos of browsers have 500 to 2,000 bytes.
const MaxBytes = 32 << 10

const (
	recordHeader    = 5
	messageHeader   = 4
	recordHandshake = 22
	messageHello    = 1
	// maxRecord is what crypto/tls takes of a record in plain text.
	maxRecord = 16 << 10
)

// Hello is a ClientHello and all that was read.
type Hello struct {
	// ServerName is the SNI as the client wrote it, empty where it wrote none.
	ServerName string
	// Bytes are what was read, which may be more than the hello.
	Bytes []byte
}

// scratch holds what is read of hellos; what is handed on is a copy of its size.
var scratch = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// Read reads until the hello is complete. The connection's read deadline bounds
// the time. An error says that this is no hello that crypto/tls would answer,
// that it is longer than MaxBytes, or what reading failed with.
func Read(r io.Reader) (Hello, error) {
	pooled := scratch.Get().(*[]byte)
	defer scratch.Put(pooled)
	read := (*pooled)[:0]
	for {
		message, err := assemble(read)
		if err != nil {
			return Hello{}, err
		}
		if message != nil {
			name, err := serverName(message)
			return Hello{ServerName: name, Bytes: append([]byte(nil), read...)}, err
		}
		if read, err = more(r, read); err != nil {
			return Hello{}, fmt.Errorf("after %d bytes of the hello: %w", len(read), err)
		}
		*pooled = read
	}
}

// more reads once, at most up to MaxBytes.
func more(r io.Reader, read []byte) ([]byte, error) {
	if len(read) >= MaxBytes {
		return read, fmt.Errorf("it is not complete within %d", MaxBytes)
	}
	if len(read) == cap(read) {
		read = append(read, make([]byte, min(cap(read), MaxBytes-len(read)))...)[:len(read)]
	}
	n, err := r.Read(read[len(read):min(cap(read), MaxBytes)])
	read = read[:len(read)+n]
	if n > 0 {
		return read, nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return read, err
}

// assemble returns the body of the first handshake message, out of as many
// records as it has, or nil where more must be read. One in a single record, as
// nearly all are, is not copied.
func assemble(read []byte) ([]byte, error) {
	var message []byte
	for rest := read; len(rest) > 0; {
		fragment, after, err := record(rest)
		if err != nil || fragment == nil {
			return nil, err
		}
		if message == nil {
			message = fragment[:len(fragment):len(fragment)]
		} else {
			message = append(message, fragment...)
		}
		if body, err := complete(message); body != nil || err != nil {
			return body, err
		}
		rest = after
	}
	return nil, nil
}

// record takes the first record off; nil where it is not complete. What can be
// refused by its first bytes is refused at once.
func record(read []byte) (fragment, rest []byte, err error) {
	if read[0] != recordHandshake {
		return nil, nil, errors.New("the connection does not begin with a TLS handshake")
	}
	if len(read) > 1 && read[1] != 3 {
		return nil, nil, errors.New("the record is of no version of TLS")
	}
	if len(read) < recordHeader {
		return nil, nil, nil
	}
	n := int(read[3])<<8 | int(read[4])
	if n == 0 || n > maxRecord {
		return nil, nil, fmt.Errorf("a record of %d bytes is not one of 1 to %d", n, maxRecord)
	}
	if len(read) < recordHeader+n {
		return nil, nil, nil
	}
	return read[recordHeader : recordHeader+n], read[recordHeader+n:], nil
}

// complete returns the message's body once it is all there.
func complete(message []byte) ([]byte, error) {
	if message[0] != messageHello {
		return nil, errors.New("the first message is no ClientHello")
	}
	if len(message) < messageHeader {
		return nil, nil
	}
	n := int(message[1])<<16 | int(message[2])<<8 | int(message[3])
	if n > MaxBytes {
		return nil, fmt.Errorf("the hello has %d bytes, at most %d are read", n, MaxBytes)
	}
	if len(message) < messageHeader+n {
		return nil, nil
	}
	return message[messageHeader : messageHeader+n], nil
}
