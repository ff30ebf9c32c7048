package filter

import (
	"context"
	"fmt"

	"github.com/sluice-gateway/sluice/ir/editing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

// rewrite changes what the backend is asked for (HTTPURLRewriteFilter).
type rewrite struct {
	hostname string
	path     *editing.Path
}

var _ step = (*rewrite)(nil)

func compileRewrite(spec *ir.Rewrite) (step, error) {
	path, err := editing.ReadPath(spec.Path)
	if err != nil {
		return nil, fmt.Errorf("rewrite.%w", err)
	}
	if spec.Hostname != "" && !editing.ValidHost(spec.Hostname) {
		return nil, fmt.Errorf("rewrite.hostname: %q is not a hostname", spec.Hostname)
	}
	return &rewrite{hostname: spec.Hostname, path: path}, nil
}

// request edits the path that was matched, so that a backend's rewrite takes the
// place of its rule's instead of being made on top of it.
func (w *rewrite) request(_ context.Context, x *Exchange) *exchange.Response {
	if w.hostname != "" {
		x.Request.Authority, x.Request.Host = w.hostname, w.hostname
	}
	if w.path != nil {
		x.Request.Path = w.path.Apply(x.path, x.Prefix)
	}
	return nil
}

func (w *rewrite) response(*Exchange, *exchange.Response) {}
