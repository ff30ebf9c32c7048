package filter

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/editing"
)

// Chain is a compiled list of filters. It is immutable, and safe for any number
// of exchanges at a time. The zero value does nothing.
type Chain struct {
	steps []step
}

// step is one filter. Its methods do nothing where it has no business in that
// direction.
type step interface {
	// request edits the exchange's request, or answers it.
	request(ctx context.Context, x *Exchange) *exchange.Response
	// response edits an answer on its way back.
	response(x *Exchange, r *exchange.Response)
}

var empty = &Chain{}

// Compile prepares filters. An error names the filter by its place, and says
// which field cannot be served; a chain must then not be used in part.
func Compile(filters []ir.Filter) (*Chain, error) {
	if len(filters) == 0 {
		return empty, nil
	}
	chain := &Chain{steps: make([]step, 0, len(filters))}
	for _, i := range editing.Order(filters) {
		s, err := compile(filters[i])
		if err != nil {
			return nil, fmt.Errorf("filters[%d].%w", i, err)
		}
		chain.steps = append(chain.steps, s)
	}
	return chain, nil
}

// compile makes the step of one filter.
func compile(f ir.Filter) (step, error) {
	switch {
	case f.RequestHeaders != nil:
		return compileEdit("requestHeaders", f.RequestHeaders, false)
	case f.ResponseHeaders != nil:
		return compileEdit("responseHeaders", f.ResponseHeaders, true)
	case f.Redirect != nil:
		return compileRedirect(f.Redirect)
	case f.Rewrite != nil:
		return compileRewrite(f.Rewrite)
	case f.Mirror != nil:
		return compileMirror(f.Mirror)
	case f.CORS != nil:
		return compileCORS(f.CORS)
	case f.ExternalAuth != nil:
		return compileAuth(f.ExternalAuth)
	default:
		return nil, errors.New("type: unknown filter; a newer proxy is needed")
	}
}

// Request runs the filters downwards. An answer that is not nil ends the
// exchange: it goes to the client, through Response like any other.
func (c *Chain) Request(ctx context.Context, x *Exchange) *exchange.Response {
	for _, s := range c.steps {
		if answer := s.request(ctx, x); answer != nil {
			return answer
		}
	}
	return nil
}

// Response runs the filters upwards over an answer, whoever made it.
func (c *Chain) Response(x *Exchange, r *exchange.Response) {
	for i := len(c.steps) - 1; i >= 0; i-- {
		c.steps[i].response(x, r)
	}
}

// Len returns the number of filters.
func (c *Chain) Len() int { return len(c.steps) }
