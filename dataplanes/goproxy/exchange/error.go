package exchange

import "errors"

// ErrBodyTooLarge is what reading a request's body returns past the limit.
var ErrBodyTooLarge = errors.New("request body is over the limit")

// ErrStalled is what reading a request's body returns where the client has sent
// nothing of it for too long.
var ErrStalled = errors.New("the client sends nothing of the request body")
