package kube

import (
	"testing"
	"time"
)

// Attaching routes one after another writes a Gateway seldom, and the last count
// soon.
func TestPaceOfCounts(t *testing.T) {
	var p pace
	clock := time.Unix(0, 0)
	writes, stale := 0, time.Duration(0)
	// step lets a moment pass, and writes where that may be.
	step := func(d time.Duration, dirty bool) bool {
		clock = clock.Add(d)
		if dirty && p.wait(counts, clock) == 0 {
			p.written(clock)
			writes++
			return true
		}
		return false
	}
	dirty := false
	for range 1000 {
		p.changed(clock)
		dirty = !step(0, true)
		for range 6 {
			dirty = dirty && !step(10*time.Millisecond, dirty)
		}
	}
	for dirty {
		stale += 10 * time.Millisecond
		dirty = !step(10*time.Millisecond, true)
	}
	if writes > 20 || writes < 5 || stale > calm {
		t.Errorf("%d writes in a minute, the last count was right after %v", writes, stale)
	}
}

func TestPace(t *testing.T) {
	start := time.Unix(100, 0)
	fresh := pace{}
	fresh.changed(start)
	if fresh.wait(counts, start) != 0 {
		t.Error("the first write waits")
	}
	fresh.written(start)
	fresh.changed(start.Add(time.Second))
	if got := fresh.wait(news, start.Add(time.Second)); got != 0 {
		t.Errorf("news wait %v", got)
	}
	// Somebody undoes what is written, again and again.
	waits := []time.Duration{}
	at := start
	for range 12 {
		fresh.written(at)
		wait := fresh.wait(news, at)
		waits = append(waits, wait)
		at = at.Add(wait)
	}
	for i := 1; i < len(waits); i++ {
		if waits[i] < waits[i-1] || waits[i] > lastAgain {
			t.Errorf("waits of %v", waits)
		}
	}
	if waits[11] != lastAgain {
		t.Errorf("waits of %v do not get long", waits)
	}
}
