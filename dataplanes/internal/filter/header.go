package filter

import (
	"context"
	"fmt"

	"github.com/sluice-gateway/sluice/ir/editing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

// edit changes the fields of a request's or of a response's header.
type edit struct {
	ir.HeaderEdit
	downwards bool
}

var _ step = (*edit)(nil)

func (e *edit) request(_ context.Context, x *Exchange) *exchange.Response {
	if !e.downwards {
		return nil
	}
	for _, name := range e.Remove {
		x.Request.Vouch(name)
	}
	for _, f := range e.Set {
		x.Request.Vouch(f.Name)
	}
	e.apply(&x.Request.Header)
	return nil
}

func (e *edit) response(_ *Exchange, r *exchange.Response) {
	if !e.downwards {
		e.apply(&r.Header)
	}
}

func (e *edit) apply(h *exchange.Header) {
	for _, name := range e.Remove {
		h.Del(name)
	}
	for _, f := range e.Set {
		h.Set(f.Name, f.Value)
	}
	for _, f := range e.Add {
		h.Add(f.Name, f.Value)
	}
}

// compileEdit refuses what editing does not let pass.
func compileEdit(field string, spec *ir.HeaderEdit, upwards bool) (step, error) {
	if err := editing.Check(spec); err != nil {
		return nil, fmt.Errorf("%s.%w", field, err)
	}
	return &edit{HeaderEdit: *spec, downwards: !upwards}, nil
}
