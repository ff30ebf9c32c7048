package h2

import (
	"errors"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// Scope is how much a refusal takes away.
type Scope uint8

const (
	// OfRequest is answered with a status; the connection lives on.
	OfRequest Scope = iota
	// OfStream resets one stream (RFC 9113, section 5.4.2).
	OfStream
	// OfConnection ends the connection with GOAWAY (RFC 9113, section 5.4.1).
	OfConnection
)

// Error is why a peer's frames were refused.
type Error struct {
	Scope Scope
	// Status is what a client is answered, where it is; 502 and 504 for what a
	// backend did.
	Status int
	// Code is what the peer is told, where no status is.
	Code http2.ErrCode
	// Reason is a word from a fixed list, for logs and metrics. It holds nothing
	// that a peer sent.
	Reason string
}

var _ exchange.Refusal = (*Error)(nil)

// Error returns the reason.
func (e *Error) Error() string { return "http/2: " + e.Reason }

// StatusCode returns the status.
func (e *Error) StatusCode() int { return e.Status }

// Is reports whether a backend has not looked at the request (RFC 9113, section
// 8.7).
func (e *Error) Is(target error) bool { return target == exchange.ErrUnseen && e == errUnprocessed }

func ofRequest(status int, reason string) *Error {
	return &Error{Scope: OfRequest, Status: status, Reason: reason}
}

func ofStream(code http2.ErrCode, reason string) *Error {
	return &Error{Scope: OfStream, Status: 502, Code: code, Reason: reason}
}

func ofConnection(code http2.ErrCode, reason string) *Error {
	return &Error{Scope: OfConnection, Status: 502, Code: code, Reason: reason}
}

// The refusals of requests.
var (
	errMethod     = ofRequest(400, "method")
	errPath       = ofRequest(400, "path")
	errQuery      = ofRequest(400, "query")
	errScheme     = ofRequest(400, "scheme")
	errNoHost     = ofRequest(400, "no-host")
	errHost       = ofRequest(400, "host")
	errName       = ofRequest(400, "field-name-lookalike")
	errLongName   = ofRequest(431, "long-field-name")
	errFields     = ofRequest(431, "too-many-fields")
	errHead       = ofRequest(431, "long-head")
	errTarget     = ofRequest(414, "long-target")
	errExpect     = ofRequest(417, "expectation")
	errNotAllowed = ofRequest(405, "method-not-allowed")
	errProtocol   = ofRequest(501, "unknown-protocol")
	errTooLarge   = ofRequest(413, "body_too_large")
)

// The refusals of streams.
var (
	errPseudo        = ofStream(http2.ErrCodeProtocol, "pseudo-header")
	errPseudoLate    = ofStream(http2.ErrCodeProtocol, "pseudo-header-late")
	errPseudoTwice   = ofStream(http2.ErrCodeProtocol, "pseudo-header-twice")
	errPseudoMissing = ofStream(http2.ErrCodeProtocol, "pseudo-header-missing")
	errFieldName     = ofStream(http2.ErrCodeProtocol, "field-name")
	errFieldValue    = ofStream(http2.ErrCodeProtocol, "field-value")
	errHopByHop      = ofStream(http2.ErrCodeProtocol, "connection-field")
	errHostDisagrees = ofStream(http2.ErrCodeProtocol, "host-disagrees-with-authority")
	errLength        = ofStream(http2.ErrCodeProtocol, "length")
	errLengthBroken  = ofStream(http2.ErrCodeProtocol, "length-disagrees-with-content")
	errTrailerOpen   = ofStream(http2.ErrCodeProtocol, "trailer-without-end")
	errTrailer       = ofStream(http2.ErrCodeProtocol, "trailer")
	errStatus        = ofStream(http2.ErrCodeProtocol, "status")
	errNoHead        = ofStream(http2.ErrCodeProtocol, "content-before-head")
	errStreamClosed  = ofStream(http2.ErrCodeStreamClosed, "closed-stream")
	errRefused       = ofStream(http2.ErrCodeRefusedStream, "too-many-streams")
	errStreamFlow    = ofStream(http2.ErrCodeFlowControl, "stream-window")
	errZeroIncrement = ofStream(http2.ErrCodeProtocol, "zero-increment")
	errSelf          = ofStream(http2.ErrCodeProtocol, "depends-on-itself")
	errInterim       = ofStream(http2.ErrCodeProtocol, "too-many-interim-responses")
	errSlowReader    = ofStream(http2.ErrCodeCancel, "slow-reader")
	errUnwritable    = &Error{Scope: OfStream, Status: 500, Code: http2.ErrCodeInternal, Reason: "unwritable-field"}
	errLongContent   = ofStream(http2.ErrCodeInternal, "content-over-its-length")
	errSource        = ofStream(http2.ErrCodeInternal, "content-broke-off")
	errHandler       = ofStream(http2.ErrCodeInternal, "handler-panicked")
	errReset         = ofStream(http2.ErrCodeCancel, "reset-by-peer")
	errTunnel        = ofStream(http2.ErrCodeConnect, "tunnel-broke-off")
	errAnswered      = ofStream(http2.ErrCodeNo, "answered-early")
	errUnasked       = ofStream(http2.ErrCodeProtocol, "unasked-upgrade")
	errBackendSlow   = &Error{Scope: OfStream, Status: 504, Code: http2.ErrCodeCancel, Reason: "backend-timeout"}
	errAbandoned     = &Error{Scope: OfStream, Status: 502, Code: http2.ErrCodeCancel, Reason: "abandoned"}
	errNoConnect     = &Error{Scope: OfStream, Status: 502, Code: http2.ErrCodeCancel, Reason: "backend-without-websockets"}
	errUnprocessed   = &Error{Scope: OfStream, Status: 502, Code: http2.ErrCodeRefusedStream, Reason: "unprocessed"}
	errUnbegun       = &Error{Scope: OfConnection, Status: 502, Reason: "connection-is-leaving"}
	errBackendReset  = &Error{Scope: OfStream, Status: 502, Code: http2.ErrCodeCancel, Reason: "reset-by-backend"}
)

// errSlow says that nothing has come in time.
var errSlow = errors.New("http/2: nothing has come in time")

// The refusals of connections.
var (
	errWeakTLS       = ofConnection(http2.ErrCodeInadequateSecurity, "weak-cipher-suite")
	errPreface       = ofConnection(http2.ErrCodeProtocol, "preface")
	errFraming       = ofConnection(http2.ErrCodeProtocol, "framing")
	errFrameSize     = ofConnection(http2.ErrCodeFrameSize, "frame-size")
	errCompression   = ofConnection(http2.ErrCodeCompression, "compression")
	errIdleStream    = ofConnection(http2.ErrCodeProtocol, "idle-stream")
	errStreamID      = ofConnection(http2.ErrCodeProtocol, "stream-id")
	errEnded         = ofConnection(http2.ErrCodeStreamClosed, "head-after-end")
	errPush          = ofConnection(http2.ErrCodeProtocol, "push")
	errSettings      = ofConnection(http2.ErrCodeProtocol, "settings")
	errWindowSetting = ofConnection(http2.ErrCodeFlowControl, "window-setting")
	errConnFlow      = ofConnection(http2.ErrCodeFlowControl, "connection-window")
	errFlood         = ofConnection(http2.ErrCodeEnhanceYourCalm, "flood")
	errLongBlock     = ofConnection(http2.ErrCodeEnhanceYourCalm, "long-field-block")
	errPrefaceSlow   = ofConnection(http2.ErrCodeNo, "slow-preface")
	errBlockSlow     = ofConnection(http2.ErrCodeNo, "slow-head")
	errContentSlow   = ofConnection(http2.ErrCodeNo, "slow-content")
	errSilent        = ofConnection(http2.ErrCodeNo, "no-answer-to-ping")
	errIdle          = ofConnection(http2.ErrCodeNo, "idle")
	errClosed        = ofConnection(http2.ErrCodeNo, "closed")
	errGone          = ofConnection(http2.ErrCodeNo, "peer-gone")
)

// framing gives what the Framer says the name and the code that it stands for.
func framing(err error) error {
	var connection http2.ConnectionError
	var stream http2.StreamError
	switch {
	case errors.Is(err, http2.ErrFrameTooLarge):
		return errFrameSize
	case errors.As(err, &connection):
		return ofConnection(http2.ErrCode(connection), errFraming.Reason)
	case errors.As(err, &stream):
		return ofConnection(stream.Code, errFraming.Reason)
	default:
		return err
	}
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
