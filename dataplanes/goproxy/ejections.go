package goproxy

import (
	"github.com/sluice-gateway/sluice/dataplanes/internal/admin"
	"github.com/sluice-gateway/sluice/dataplanes/internal/upstream"
	"github.com/sluice-gateway/sluice/ir"
)

// watcher counts ejected endpoints.
type watcher struct{ metrics *admin.Metrics }

var _ upstream.Watcher = watcher{}

// Ejected implements upstream.Watcher.
func (w watcher) Ejected(key ir.BackendKey) { w.metrics.Ejected(backendName(key)) }

// Readmitted implements upstream.Watcher.
func (w watcher) Readmitted(key ir.BackendKey) { w.metrics.Readmitted(backendName(key)) }
