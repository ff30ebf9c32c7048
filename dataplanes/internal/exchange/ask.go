package exchange

import (
	"context"
	"time"
)

// Backend is the connections with one endpoint, whatever they speak.
type Backend interface {
	// Do carries one exchange. The response's Body is never nil: closing it, or the
	// Tunnel, ends the exchange. Of the request nothing is read after that, nor after
	// an error; its Body is closed only where it is being read when the exchange is
	// given up.
	//
	// Where nothing of the request was looked at, the error is ErrUnreachable or
	// ErrUnseen. Other errors are a Refusal, or what reading the request's Body
	// returned.
	Do(ctx context.Context, ask Ask) (*Response, error)
	// Close closes idle connections, and each of the others when its last exchange
	// ends.
	Close()
}

// Ask is what a backend is asked to do.
type Ask struct {
	Request *Request
	// Now is the present time; the zero time has it looked up.
	Now time.Time
	// Until bounds the exchange as a whole, the response's content included; the
	// zero time is no bound.
	Until time.Time
	// Ended is called once when the response's Body or Tunnel is closed, if it is
	// not nil; never after an error.
	Ended func()
	// Once keeps anything from being sent twice that may have been seen.
	Once bool
}

// Gatherer is a Body that may be waited for.
type Gatherer interface {
	// Gather waits until a short body of known length has come whole, so that a
	// client that sends it slowly holds nothing of a backend's meanwhile. Its error
	// is the client's fault, and what Read returns from now on.
	Gather(until time.Time) error
}

// Whole returns a request's content where all of it is there and nothing of it
// was read. It is valid as long as the request is, and may be asked for again.
func (r *Request) Whole() ([]byte, bool) {
	if r.Length == 0 {
		return nil, true
	}
	body, ok := r.Body.(interface{ Whole() ([]byte, bool) })
	if !ok {
		return nil, false
	}
	whole, ok := body.Whole()
	if !ok || r.Length >= 0 && int64(len(whole)) != r.Length {
		return nil, false
	}
	return whole, true
}
