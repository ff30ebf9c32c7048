package source

import (
	"context"

	"github.com/sluice-gateway/sluice/operator/resources"
)

// Batch is a set of changes that belong together: none is acted on before all
// are known.
type Batch struct {
	Events []resources.Event
	// Listed are kinds whose objects are all known from now on.
	Listed []resources.Kind
}

// Source is a place that objects come from.
type Source interface {
	// Kinds are the kinds that the source will list. Until a batch names one in
	// Listed, an object of it that is not there counts as pending.
	Kinds() []resources.Kind
	// Run hands batches over, in order, until the context ends. It returns an
	// error where it cannot go on; emit returns at once.
	Run(ctx context.Context, emit func(Batch)) error
}

// Lazy is a Source that does not read the content of every object: of some kinds
// it emits stubs, and the objects in their place once somebody wants them.
type Lazy interface {
	Source
	// Want asks for the contents of stubs. It returns at once; each comes in a
	// batch of its own, now and whenever it changes.
	Want([]resources.Key)
	// Forget gives contents up that nobody reads any more. It returns at once;
	// stubs stand for them again.
	Forget([]resources.Key)
}
