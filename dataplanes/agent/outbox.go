package agent

import (
	"slices"
	"sync"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/ir"
)

// Outbox hands outcomes on: of one owner the last one alone, where nobody has
// read those before.
type Outbox struct {
	out     chan dataplanes.Outcome
	wake    chan struct{}
	stopped sync.WaitGroup

	mu      sync.Mutex
	waiting []*dataplanes.Outcome
	closing bool
}

// NewOutbox returns one that hands on until Close.
func NewOutbox() *Outbox {
	o := &Outbox{out: make(chan dataplanes.Outcome), wake: make(chan struct{}, 1)}
	o.stopped.Go(o.run)
	return o
}

// Outcomes is closed by Close.
func (o *Outbox) Outcomes() <-chan dataplanes.Outcome { return o.out }

// Report puts an outcome in the place of an older one that nobody has read.
func (o *Outbox) Report(outcome dataplanes.Outcome) {
	o.mu.Lock()
	o.drop(outcome.Owner)
	o.waiting = append(o.waiting, &outcome)
	o.mu.Unlock()
	o.signal()
}

// Drop takes back what nobody has read of an owner.
func (o *Outbox) Drop(owner ir.Object) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drop(owner)
}

func (o *Outbox) drop(owner ir.Object) {
	o.waiting = slices.DeleteFunc(o.waiting, func(x *dataplanes.Outcome) bool { return x.Owner == owner })
}

// Close ends Outcomes; what nobody has read is lost.
func (o *Outbox) Close() {
	o.mu.Lock()
	o.closing = true
	o.mu.Unlock()
	o.signal()
	o.stopped.Wait()
}

func (o *Outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *Outbox) run() {
	defer close(o.out)
	for {
		next, closing := o.first()
		switch {
		case closing:
			return
		case next == nil:
			<-o.wake
		default:
			select {
			case <-o.wake: // It may have been overtaken.
			case o.out <- *next:
				o.sent(next)
			}
		}
	}
}

func (o *Outbox) first() (next *dataplanes.Outcome, closing bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) > 0 {
		next = o.waiting[0]
	}
	return next, o.closing
}

func (o *Outbox) sent(outcome *dataplanes.Outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting = slices.DeleteFunc(o.waiting, func(x *dataplanes.Outcome) bool { return x == outcome })
}
