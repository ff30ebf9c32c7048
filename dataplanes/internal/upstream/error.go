package upstream

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

// Kind says why a call has no response. Kinds are few and fixed: they are
// labels of metrics and flags in the access log.
type Kind string

// The kinds of failures.
const (
	NoEndpoints  Kind = "no_endpoints"
	NoConnection Kind = "connection_failure"
	Timeout      Kind = "timeout"
	Broken       Kind = "backend_reset"
	InvalidTLS   Kind = "invalid_backend_tls"
	BodyTooLarge Kind = "body_too_large"
	ClientGone   Kind = "client_gone"
	Stalled      Kind = "client_stalled"
	Unknown      Kind = "unknown_backend"
)

var statuses = map[Kind]int{
	NoEndpoints:  http.StatusServiceUnavailable,
	NoConnection: http.StatusServiceUnavailable,
	Timeout:      http.StatusGatewayTimeout,
	Broken:       http.StatusBadGateway,
	InvalidTLS:   http.StatusServiceUnavailable,
	BodyTooLarge: http.StatusRequestEntityTooLarge,
	ClientGone:   http.StatusBadRequest,
	Stalled:      http.StatusRequestTimeout,
	Unknown:      http.StatusInternalServerError,
}

// Error is a call without a response.
type Error struct {
	Kind    Kind
	Backend ir.BackendKey
	Err     error
}

var _ error = (*Error)(nil)

// Error names the backend and what went wrong.
func (e *Error) Error() string {
	k := e.Backend
	return fmt.Sprintf("backend %s/%s:%d (%s): %s: %v", k.Namespace, k.Service, k.Port, k.Protocol, e.Kind, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// unseen says whether the backend has not looked at a request that was sent.
func (e *Error) unseen() bool { return errors.Is(e.Err, exchange.ErrUnseen) }

// Status is what a client is told.
func (e *Error) Status() int { return statuses[e.Kind] }
