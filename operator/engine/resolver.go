package engine

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source"
)

// Resolve looks one DNS name up. Which of the addresses may be used is not its
// business: front ends refuse what they must.
type Resolve func(ctx context.Context, name string) ([]netip.Addr, error)

const (
	// The system's resolver does not tell a record's time to live.
	resolveEvery = 30 * time.Second
	resolveAgain = 5 * time.Second
	resolveMost  = 10 * time.Second
)

// resolver keeps names that are wanted resolved, and puts each changed answer
// into the inbox as an event.
type resolver struct {
	resolve Resolve
	emit    func(source.Batch)
	running map[string]context.CancelFunc
	done    sync.WaitGroup
}

func newResolver(resolve Resolve, emit func(source.Batch)) *resolver {
	return &resolver{resolve: resolve, emit: emit, running: map[string]context.CancelFunc{}}
}

// want says which names are needed from now on.
func (r *resolver) want(ctx context.Context, names []string) {
	if r.resolve == nil {
		return
	}
	for name, cancel := range r.running {
		if _, wanted := slices.BinarySearch(names, name); !wanted {
			cancel()
			delete(r.running, name)
			r.emit(source.Batch{Events: []resources.Event{{Key: resources.DNSAnswerKey(name)}}})
		}
	}
	for _, name := range names {
		if r.running[name] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(ctx)
		r.running[name] = cancel
		r.done.Go(func() { r.keep(ctx, name) })
	}
}

// keep asks again and again. While no answer comes, the last one stays.
func (r *resolver) keep(ctx context.Context, name string) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for known := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		addresses, err := r.ask(ctx, name)
		if ctx.Err() != nil {
			return
		}
		if err == nil || !known {
			answer := resources.NewDNSAnswer(name, addresses...)
			r.emit(source.Batch{Events: []resources.Event{{Key: resources.DNSAnswerKey(name), Object: answer}}})
		}
		known = known || err == nil
		if err != nil {
			timer.Reset(resolveAgain)
		} else {
			timer.Reset(resolveEvery)
		}
	}
}

func (r *resolver) ask(ctx context.Context, name string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveMost)
	defer cancel()
	found, err := r.resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, a := range found {
		list = append(list, a.Unmap().String())
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

func (r *resolver) stop() {
	for _, cancel := range r.running {
		cancel()
	}
	r.done.Wait()
}
