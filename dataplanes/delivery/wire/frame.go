package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/sluice-gateway/sluice/ir/canonical"
)

// A frame is a byte that says which message it is, and the message's form. That
// of Hello has the wire version between them, so that it can be read whatever
// follows.
const (
	tagHello byte = iota + 1
	tagWelcome
	tagParts
	tagPush
	tagState
	tagNotice
	tagBeat
)

// VersionError is a peer of another wire version.
type VersionError struct{ Theirs uint64 }

func (e *VersionError) Error() string {
	return fmt.Sprintf("wire version %d, and this program speaks %d", e.Theirs, Version)
}

// TooLargeError is a message that is over MaxFrame.
type TooLargeError struct{ Bytes int }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("a message of %d bytes: at most %d can be sent", e.Bytes, MaxFrame)
}

var errFrame = errors.New("no such message")

// Encode writes a message as a frame.
func Encode(message any) ([]byte, error) {
	tag, ok := tagOf(message)
	if !ok {
		return nil, fmt.Errorf("%T: %w", message, errFrame)
	}
	frame := []byte{tag}
	if tag == tagHello {
		frame = binary.AppendUvarint(frame, Version)
	}
	frame = canonical.Append(frame, message)
	if len(frame) > MaxFrame {
		return nil, &TooLargeError{len(frame)}
	}
	return frame, nil
}

func tagOf(message any) (byte, bool) {
	switch message.(type) {
	case *Hello:
		return tagHello, true
	case *Welcome:
		return tagWelcome, true
	case *Parts:
		return tagParts, true
	case *Push:
		return tagPush, true
	case *State:
		return tagState, true
	case *Notice:
		return tagNotice, true
	case *Beat:
		return tagBeat, true
	}
	return 0, false
}

// Decode reads a frame. The error of a Hello of another version is a
// *VersionError, that of a field that this version does not have a
// *canonical.UnknownFieldError.
func Decode(frame []byte) (any, error) {
	if len(frame) == 0 || len(frame) > MaxFrame {
		return nil, fmt.Errorf("a frame of %d bytes: %w", len(frame), errFrame)
	}
	body := frame[1:]
	switch frame[0] {
	case tagHello:
		version, n := binary.Uvarint(body)
		switch {
		case n <= 0:
			return nil, errFrame
		case version != Version:
			return nil, &VersionError{version}
		}
		return read[Hello](body[n:])
	case tagWelcome:
		return read[Welcome](body)
	case tagParts:
		return read[Parts](body)
	case tagPush:
		return read[Push](body)
	case tagState:
		return read[State](body)
	case tagNotice:
		return read[Notice](body)
	case tagBeat:
		return read[Beat](body)
	}
	return nil, fmt.Errorf("message %d: %w", frame[0], errFrame)
}

// read never returns half a message.
func read[T any](body []byte) (any, error) {
	var into *T
	if err := canonical.Decode(body, &into); err != nil {
		return nil, fmt.Errorf("message %T: %w", into, err)
	}
	if into == nil {
		return nil, errFrame
	}
	return into, nil
}

// IsPush reports whether a frame that may not be readable ends a push.
func IsPush(frame []byte) bool { return len(frame) > 0 && frame[0] == tagPush }
