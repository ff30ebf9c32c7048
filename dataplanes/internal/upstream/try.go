package upstream

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
)

const gatewayTimeout = http.StatusGatewayTimeout

// try sends the request to one endpoint.
func (t *tries) try(ctx context.Context, e *endpoint) (*exchange.Response, *Error) {
	request := t.call.Request
	if t.tape != nil {
		var err error
		if request, err = t.tape.play(); err != nil {
			return nil, t.fail(BodyTooLarge, err)
		}
	}
	now := time.Now()
	until := t.until(now)
	e.acquire()
	response, err := e.backend.Do(ctx, exchange.Ask{
		Request: request, Now: now, Until: until, Once: t.call.Retry != nil, Ended: e.released,
	})
	if err != nil {
		e.release()
		return nil, t.explain(ctx, err, until)
	}
	return response, nil
}

// until is when a try that begins now must have ended; the zero time is never.
func (t *tries) until(now time.Time) time.Time {
	until := t.call.Deadline
	if perTry := t.call.PerTry; perTry > 0 {
		if end := now.Add(perTry); until.IsZero() || end.Before(until) {
			until = end
		}
	}
	return until
}

func past(until time.Time) bool { return !until.IsZero() && !time.Now().Before(until) }

// explain says what a failed exchange means.
func (t *tries) explain(ctx context.Context, err error, until time.Time) *Error {
	var why exchange.Refusal
	isRefusal, source := errors.As(err, &why), t.tape.failure()
	switch {
	case errors.Is(err, exchange.ErrBodyTooLarge), errors.Is(source, exchange.ErrBodyTooLarge):
		return t.fail(BodyTooLarge, err)
	case errors.Is(err, exchange.ErrStalled), errors.Is(source, exchange.ErrStalled):
		return t.fail(Stalled, err)
	case errors.Is(ctx.Err(), context.Canceled), source != nil, isRefusal && why.StatusCode() < 500:
		return t.fail(ClientGone, err)
	case errors.Is(err, exchange.ErrUnreachable) && !past(until), errors.Is(err, exchange.ErrUnseen):
		return t.fail(NoConnection, err)
	case ctx.Err() != nil, past(until), isRefusal && why.StatusCode() == gatewayTimeout:
		return t.fail(Timeout, err)
	default:
		return t.fail(Broken, err)
	}
}
