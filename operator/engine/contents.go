package engine

import (
	"slices"

	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source"
)

// want asks the source for what translation read and was not there yet.
func (e *Engine) want() {
	keys := e.set.Wanted()
	lazy, ok := e.opts.Source.(source.Lazy)
	if !ok || len(keys) == 0 {
		return
	}
	for _, key := range keys {
		e.contents[key] = struct{}{}
	}
	lazy.Want(keys)
}

// busy kinds change often, and seldom what else is referred to.
var busy = append([]resources.Kind{resources.EndpointSlice, resources.Service, resources.Namespace}, attachable[1:]...)

// forget gives up the contents that nothing rests on any more. It looks when
// something changed that may have referred to them: what routes alone refer to
// goes with the next such change.
func (e *Engine) forget(facts []resources.Fact) {
	if len(e.contents) == 0 || !slices.ContainsFunc(facts, func(f resources.Fact) bool { return f.Index == "" && !slices.Contains(busy, f.Key.Kind) }) {
		return
	}
	var keys []resources.Key
	var events []resources.Event
	for key := range e.contents {
		if slices.ContainsFunc(e.fronts, func(f FrontEnd) bool { return f.Reads(key) }) {
			continue
		}
		delete(e.contents, key)
		keys = append(keys, key)
		if e.set.Holds(key) {
			events = append(events, resources.Event{Key: key, Object: resources.NewStub(key)})
		}
	}
	if len(keys) > 0 {
		// Nothing has read these, so no fact of this concerns anybody.
		e.set.Apply(events)
		e.opts.Source.(source.Lazy).Forget(keys)
	}
}
