package haproxy

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/editing"
	"github.com/sluice-gateway/sluice/ir/order"
)

// walk is the way of requests through the filters of a rule, and of its use of a
// backend. Answers, whoever makes them, go the same way backwards.
type walk struct {
	port *order.Port
	// reached is the port that the listener is reached at.
	reached uint16
	// request are directives in the order in which requests meet them.
	request []string
	// upwards are those of responses, a group for each filter, in the order of the
	// filters.
	upwards [][]string
	// session is what responses of a backend meet before all else.
	session string
	// last are directives that HAProxy wants to stand behind all others.
	last []string
	// host is what the last rewrite asks the backend for.
	host string
	// answered says that no request gets further.
	answered bool
	// marks counts filters that need a variable of their own.
	marks int
}

func (c *Config) newWalk(p *order.Port) *walk {
	return &walk{port: p, reached: c.address(p.Port).Port()}
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

// add adds one filter. What follows a filter that answers every request is read,
// and has no effect but on the way back.
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
	case f.CORS != nil:
		return w.addCORS(f.CORS)
	default:
		return errors.New("type: cannot be served by HAProxy")
	}
}

// down adds directives for requests.
func (w *walk) down(lines ...string) {
	if !w.answered {
		w.request = append(w.request, lines...)
	}
}

// up adds directives for responses.
func (w *walk) up(lines ...string) { w.upwards = append(w.upwards, lines) }

// responses are the directives of responses in the order in which these meet them.
func (w *walk) responses() []string {
	var all []string
	if w.session != "" && !w.answered {
		all = append(all, w.session)
	}
	for _, group := range slices.Backward(w.upwards) {
		all = append(all, group...)
	}
	return all
}
