package filter

import (
	"context"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/editing"
)

// rewrite changes what the backend is asked for (HTTPURLRewriteFilter).
type rewrite struct{ editing.Rewrite }

var _ step = (*rewrite)(nil)

func compileRewrite(spec *ir.Rewrite) (step, error) {
	to, err := editing.ReadRewrite(spec)
	return &rewrite{to}, err
}

// request edits the path that was matched, so that a backend's rewrite takes the
// place of its rule's instead of being made on top of it.
func (w *rewrite) request(_ context.Context, x *Exchange) *exchange.Response {
	if w.Host != "" {
		x.Request.Authority, x.Request.Host = w.Host, w.Host
	}
	if w.Path != nil {
		x.Request.Path = w.Path.Apply(x.path, x.Prefix)
	}
	return nil
}

func (w *rewrite) response(*Exchange, *exchange.Response) {}
