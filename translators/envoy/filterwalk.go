package envoy

import (
	"errors"
	"fmt"
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/editing"
	"github.com/sluice-gateway/sluice/ir/order"
)

// walk is the way of requests through the filters of a rule, and of its use of a
// backend: what runs in a chain, in order, and what Envoy's router does at the
// chain's end. Answers go through the chain backwards.
type walk struct {
	entry    order.Entry
	listener *ir.Listener
	// reached is the port that the listener is reached at.
	reached   uint16
	upstreams map[ir.BackendKey]*upstream
	// fallback bounds requests of rules without a time-out of their own.
	fallback ir.Duration
	// trail is left on what is asked for a request, as on the request itself.
	trail string

	chain []*corev3.TypedExtensionConfig
	edits edits
	// host and path are what the backend is asked for; the last rewrite counts.
	host    string
	path    *editing.Path
	mirrors []*ir.Mirror
	// answered says that no request gets further.
	answered bool
	// refused says that none gets as far as the filters.
	refused bool
}

// run adds filters, after those that were added before. An error says which of
// them cannot be served, and why.
func (w *walk) run(filters []ir.Filter) error {
	for _, i := range editing.Order(filters) {
		if err := w.add(&filters[i]); err != nil {
			return fmt.Errorf("filters[%d].%w", i, err)
		}
	}
	return nil
}

func (w *walk) add(f *ir.Filter) error {
	switch {
	case f.RequestHeaders != nil:
		return w.addRequestHeaders(f.RequestHeaders)
	case f.ResponseHeaders != nil:
		return w.addResponseHeaders(f.ResponseHeaders)
	case f.Redirect != nil:
		return w.addRedirect(f.Redirect)
	case f.Rewrite != nil:
		return w.addRewrite(f.Rewrite)
	case f.Mirror != nil:
		return w.addMirror(f.Mirror)
	case f.CORS != nil:
		return w.addCORS(f.CORS)
	case f.ExternalAuth != nil:
		return w.addAuth(f.ExternalAuth)
	default:
		return errors.New("type: unknown filter; a newer proxy is needed")
	}
}

func (w *walk) addRequestHeaders(edit *ir.HeaderEdit) error {
	if err := editing.Check(edit); err != nil {
		return fmt.Errorf("requestHeaders: %w", err)
	}
	w.edits.addRequest(edit)
	return nil
}

func (w *walk) addResponseHeaders(edit *ir.HeaderEdit) error {
	if err := editing.Check(edit); err != nil {
		return fmt.Errorf("responseHeaders: %w", err)
	}
	w.edits.addResponse(edit)
	return nil
}

func (w *walk) addRewrite(rewrite *ir.Rewrite) error {
	to, err := editing.ReadRewrite(rewrite)
	if err != nil {
		return err
	}
	if to.Host != "" {
		w.host = to.Host
	}
	if to.Path != nil {
		w.path = to.Path
	}
	return nil
}

func (w *walk) addMirror(mirror *ir.Mirror) error {
	if mirror.Numerator < 0 || mirror.Denominator < 1 {
		return fmt.Errorf("mirror: %d/%d is not a share", mirror.Numerator, mirror.Denominator)
	}
	w.mirrors = append(w.mirrors, mirror)
	return nil
}

// then adds a filter that is more than an edit.
func (w *walk) then(kind string, config proto.Message) {
	w.flush()
	w.append(kind, config)
}

// flush ends a run of edits, which are one filter.
func (w *walk) flush() {
	if w.edits.empty() {
		return
	}
	w.append("edit", w.edits.filter())
	w.edits = edits{}
}

// append names a filter by its place: names are what Envoy tells filters of one
// chain apart by.
func (w *walk) append(kind string, config proto.Message) {
	w.chain = append(w.chain, &corev3.TypedExtensionConfig{
		Name: strconv.Itoa(len(w.chain)) + "." + kind, TypedConfig: typed(config),
	})
}

// prefix is the path prefix that the match matched; empty where it was none.
func (w *walk) prefix() string {
	if path := w.entry.Match().Path; path.Kind == ir.Prefix {
		return order.Literal(path)
	}
	return ""
}

// ownHeaders begin the names of fields that the proxy puts on requests for
// itself, and that nobody else gets to see.
const ownHeaders = "x-sluice-"
