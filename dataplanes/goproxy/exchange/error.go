package exchange

import "errors"

// ErrBodyTooLarge is what reading a request's body returns past the limit.
var ErrBodyTooLarge = errors.New("request body is over the limit")
