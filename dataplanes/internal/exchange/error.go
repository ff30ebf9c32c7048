package exchange

import "errors"

// ErrBodyTooLarge is what reading a request's body returns past the limit.
var ErrBodyTooLarge = errors.New("request body is over the limit")

// ErrStalled is what reading a request's body returns where the client has sent
// nothing of it for too long.
var ErrStalled = errors.New("the client sends nothing of the request body")

// ErrUnreachable says that no connection with a backend could be opened.
var ErrUnreachable = errors.New("no connection with the backend could be opened")

// ErrUnseen says that a backend has not looked at the request: any may be sent
// again.
var ErrUnseen = errors.New("the backend has not looked at the request")

// Refusal is an error that stands for a status: 4xx for what the client did
// wrong, 5xx for the backend.
type Refusal interface {
	error
	StatusCode() int
}
