package h1

import (
	"errors"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

// Error is why a message was refused.
type Error struct {
	// Status is what a client is answered: 4xx and 5xx for its own request, 502 or
	// 504 for a backend's response.
	Status int
	// Reason is a word from a fixed list, for logs and metrics. It holds nothing
	// that a peer sent.
	Reason string

	gateway *Error
}

var _ exchange.Refusal = (*Error)(nil)

// Error returns the reason.
func (e *Error) Error() string { return "http/1.1: " + e.Reason }

// StatusCode returns the status.
func (e *Error) StatusCode() int { return e.Status }

// refuse makes an Error, together with the one that stands for the same thing
// in a backend's response.
func refuse(status int, reason string) *Error {
	return &Error{Status: status, Reason: reason, gateway: &Error{Status: 502, Reason: "backend-" + reason}}
}

// ErrMore says that the head has not come whole yet.
var ErrMore = errors.New("http/1.1: the head is incomplete")

// The refusals. Every one of them closes the connection.
var (
	errBareLF          = refuse(400, "bare-lf")
	errRequestLine     = refuse(400, "request-line")
	errMethod          = refuse(400, "method")
	errLongMethod      = refuse(501, "long-method")
	errTarget          = refuse(400, "target")
	errLongTarget      = refuse(414, "long-target")
	errPath            = refuse(400, "path")
	errScheme          = refuse(421, "scheme")
	errVersion         = refuse(505, "version")
	errStatusLine      = refuse(502, "status-line")
	errFold            = refuse(400, "folded-field")
	errName            = refuse(400, "field-name")
	errLookalike       = refuse(400, "field-name-lookalike")
	errValue           = refuse(400, "field-value")
	errLongName        = refuse(431, "long-field-name")
	errFields          = refuse(431, "too-many-fields")
	errHead            = refuse(431, "long-head")
	errNoHost          = refuse(400, "no-host")
	errHosts           = refuse(400, "several-hosts")
	errHost            = refuse(400, "host")
	errHostDisagrees   = refuse(400, "host-disagrees-with-target")
	errLengths         = refuse(400, "several-lengths")
	errLength          = refuse(400, "length")
	errLengthAndCoding = refuse(400, "length-beside-coding")
	errCoding          = refuse(400, "transfer-coding")
	errUnknownCoding   = refuse(501, "unknown-transfer-coding")
	errOldCoding       = refuse(400, "transfer-coding-in-1.0")
	errConnection      = refuse(400, "connection-options")
	errExpect          = refuse(417, "expectation")
	errUpgrade         = refuse(400, "upgrade")
	errContent         = refuse(400, "content-in-method")
	errChunk           = refuse(400, "chunk")
	errChunkExtension  = refuse(400, "chunk-extension")
	errChunkSize       = refuse(400, "chunk-size")
	errTrailer         = refuse(400, "trailer")
	errTrailers        = refuse(431, "long-trailers")
	errBodyTooLarge    = refuse(413, "body_too_large")
	errTruncated       = refuse(400, "truncated-body")
	errHeadTimeout     = refuse(408, "slow-head")
	errNotAllowed      = refuse(405, "method-not-allowed")
	errUnasked         = refuse(502, "unasked-upgrade")
	errInterim         = refuse(502, "too-many-interim-responses")
	errBackendClosed   = refuse(502, "closed")
	errBackendTimeout  = &Error{Status: 504, Reason: "backend-timeout"}
	errUnwritable      = refuse(500, "unwritable-field")
)

// inResponse turns a refusal of the codec into what it means when a backend's
// response was read.
func inResponse(err error) error {
	var refusal *Error
	if errors.As(err, &refusal) && refusal.gateway != nil {
		return refusal.gateway
	}
	return err
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
