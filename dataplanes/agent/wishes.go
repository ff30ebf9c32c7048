package agent

import (
	"sync"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/ir"
)

// Wishes are what owners ask for. Of several of one owner the last one counts.
type Wishes struct {
	wake chan struct{}

	mu    sync.Mutex
	asked map[ir.Object]*dataplanes.Assignment
	order []ir.Object
}

// NewWishes returns an empty list.
func NewWishes() *Wishes {
	return &Wishes{wake: make(chan struct{}, 1), asked: map[ir.Object]*dataplanes.Assignment{}}
}

// Apply takes note of an assignment.
func (w *Wishes) Apply(a dataplanes.Assignment) { w.ask(a.Unit.Proxy.Owner, &a) }

// Remove takes note that an owner has gone.
func (w *Wishes) Remove(owner ir.Object) { w.ask(owner, nil) }

// Wake receives once there is something to Take.
func (w *Wishes) Wake() <-chan struct{} { return w.wake }

func (w *Wishes) ask(owner ir.Object, a *dataplanes.Assignment) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, waiting := w.asked[owner]; !waiting {
		w.order = append(w.order, owner)
	}
	w.asked[owner] = a
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Wish is what one owner asks for: an assignment, or nil for its end.
type Wish struct {
	Owner      ir.Object
	Assignment *dataplanes.Assignment
}

// Take returns what was asked since the last time. Removals come first: what they
// leave may be what another unit wants to bind.
func (w *Wishes) Take() []Wish {
	w.mu.Lock()
	asked, order := w.asked, w.order
	w.asked, w.order = map[ir.Object]*dataplanes.Assignment{}, nil
	w.mu.Unlock()
	var gone, there []Wish
	for _, owner := range order {
		if a := asked[owner]; a != nil {
			there = append(there, Wish{Owner: owner, Assignment: a})
		} else {
			gone = append(gone, Wish{Owner: owner})
		}
	}
	return append(gone, there...)
}
