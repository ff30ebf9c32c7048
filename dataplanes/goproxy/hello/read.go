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
	maxMajor        = 0x10
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
	a := assembly{read: (*pooled)[:0]}
	for {
		message, err := a.next()
		if err != nil {
			return Hello{}, err
		}
		if message != nil {
			name, err := serverName(message)
			return Hello{ServerName: name, Bytes: append([]byte(nil), a.read...)}, err
		}
		if a.read, err = more(r, a.read); err != nil {
			return Hello{}, fmt.Errorf("after %d bytes of the hello: %w", len(a.read), err)
		}
		*pooled = a.read
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

// assembly puts the first handshake message together, out of as many records as
// it has. It looks at each byte once, however few come at a time.
type assembly struct {
	read []byte
	// done is how much of read are records whose fragments are in message.
	done    int
	message []byte
}

// next returns the message's body, or nil where more must be read.
func (a *assembly) next() ([]byte, error) {
	for a.done < len(a.read) {
		fragment, size, err := record(a.read[a.done:])
		if err != nil || fragment == nil {
			return nil, err
		}
		a.done += size
		if a.message == nil {
			// A hello in a single record, as nearly all are, is not copied.
			a.message = fragment[:len(fragment):len(fragment)]
		} else {
			a.message = append(a.message, fragment...)
		}
		if body, err := complete(a.message); body != nil || err != nil {
			return body, err
		}
	}
	return nil, nil
}

// record returns the fragment of the first record and the record's size; nil
// where it is not complete. What can be refused by its first bytes is refused at
// once.
func record(read []byte) (fragment []byte, size int, err error) {
	if read[0] != recordHandshake {
		return nil, 0, errors.New("something else than a TLS handshake comes before the hello")
	}
	// A record's version says nothing (RFC 8446, section 5.1), but that this is not
	// text: crypto/tls draws the line in the same place.
	if len(read) > 1 && read[1] >= maxMajor {
		return nil, 0, errors.New("the record is of no version of TLS")
	}
	if len(read) < recordHeader {
		return nil, 0, nil
	}
	n := int(read[3])<<8 | int(read[4])
	if n == 0 || n > maxRecord {
		return nil, 0, fmt.Errorf("a record of %d bytes is not one of 1 to %d", n, maxRecord)
	}
	if len(read) < recordHeader+n {
		return nil, 0, nil
	}
	return read[recordHeader : recordHeader+n], recordHeader + n, nil
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
