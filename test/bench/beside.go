package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/test/bench/load"
)

// beside is what goes on beside the load of a scenario. Each of its rounds
// measures twice, calm and with it, in turns: what they are compared to is the
// same proxy a moment ago.
type beside int

const (
	nothing beside = iota
	slowConnections
	edits
	// lastRoute is the same load on the last of many routes instead of the first.
	lastRoute
)

const (
	slowCount = 2000
	// everyEdit makes 1,000 edits a minute.
	everyEdit = time.Minute / 1000
)

// besideRound measures both, and returns the disturbed one with what the other
// came to.
func (r *rig) besideRound(ctx context.Context, c *candidate, s scenario, run load.Run) (sample, error) {
	c.turns++
	calmFirst := c.turns%2 == 0
	var calm, disturbed sample
	var err error
	for _, isCalm := range []bool{calmFirst, !calmFirst} {
		if isCalm {
			calm, err = r.loadRound(ctx, c, s, run)
		} else {
			disturbed, err = r.disturbed(ctx, c, s, run)
		}
		if err != nil {
			return sample{}, err
		}
	}
	disturbed.CalmRPS, disturbed.CalmCPU = calm.RPS, calm.CPU
	if disturbed.Failed == "" {
		disturbed.Failed = calm.Failed
	}
	return disturbed, nil
}

func (r *rig) disturbed(ctx context.Context, c *candidate, s scenario, run load.Run) (sample, error) {
	var end func() error
	switch s.beside {
	case lastRoute:
		run.URL = s.last(r.routes).url(s.port(c.setup.Ports))
		return r.loadRound(ctx, c, s, run)
	case edits:
		end = c.edits(ctx)
	default:
		slow, err := load.Drag(ctx, local(s.port(c.setup.Ports)), large, slowCount)
		if err != nil {
			return sample{}, err
		}
		end = slow.Close
		// To let them in is not what is measured.
		if err := c.rests(ctx); err != nil {
			return sample{}, errors.Join(err, end())
		}
	}
	out, err := r.loadRound(ctx, c, s, run)
	return out, errors.Join(err, end(), c.rests(ctx))
}

// rests waits until the proxy has next to nothing to do, ten seconds at most.
func (c *candidate) rests(ctx context.Context) error {
	const look, little = 500 * time.Millisecond, 10 * time.Millisecond
	last, err := c.usage()
	for range 20 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(look):
		}
		now, wrong := c.usage()
		if wrong != nil || err != nil {
			return errors.Join(err, wrong)
		}
		if now.CPU-last.CPU <= little {
			return nil
		}
		last = now
	}
	return nil
}

// edits changes a route of the proxy's until it is ended.
func (c *candidate) edits(ctx context.Context) (end func() error) {
	ctx, cancel := context.WithCancel(ctx)
	var editing sync.WaitGroup
	var fault error
	editing.Go(func() {
		tick := time.NewTicker(everyEdit)
		defer tick.Stop()
		for n := 0; fault == nil; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				fault = c.launch.Edit(n)
			}
		}
	})
	return func() error {
		cancel()
		editing.Wait()
		return fault
	}
}

// bears says why a proxy takes no part in what goes on beside a load.
func (c *candidate) bears(s scenario) error {
	if s.beside == edits && c.launch.Edit == nil {
		return errors.New("it reads its configuration when it is reloaded")
	}
	return nil
}
