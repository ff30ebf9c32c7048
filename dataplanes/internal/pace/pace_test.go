package pace_test

import (
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/pace"
)

type step struct {
	wait time.Duration
	n    int
}

func many(count int, s step) []step {
	all := make([]step, count)
	for i := range all {
		all[i] = s
	}
	return all
}

func TestPace(t *testing.T) {
	for name, c := range map[string]struct {
		pace  pace.Pace
		steps []step
		want  bool
	}{
		"a byte each 59 s":                 {pace.Pace{Least: 240, Grace: time.Minute}, many(2, step{59 * time.Second, 1}), true},
		"a byte each second":               {pace.Pace{Least: 240, Grace: time.Minute}, many(61, step{time.Second, 1}), true},
		"silence within the grace":         {pace.Pace{Least: 240, Grace: time.Minute}, []step{{59 * time.Second, 1}}, false},
		"just fast enough":                 {pace.Pace{Least: 240, Grace: time.Minute}, many(10000, step{time.Second, 240}), false},
		"a pause, then more":               {pace.Pace{Least: 240, Grace: time.Minute}, []step{{50 * time.Second, 12000}, {50 * time.Second, 1}}, false},
		"haste does not earn more leisure": {pace.Pace{Least: 240, Grace: time.Minute}, []step{{time.Second, 1 << 30}, {59 * time.Second, 1}, {59 * time.Second, 1}}, true},
		"no rate":                          {pace.Pace{Grace: time.Minute}, many(10, step{time.Hour, 0}), false},
		"no grace":                         {pace.Pace{Least: 240}, many(10, step{time.Hour, 0}), false},
	} {
		got := false
		for _, s := range c.steps {
			got = c.pace.Waited(s.wait, s.n)
		}
		if got != c.want {
			t.Errorf("%s: too slow is %t, want %t", name, got, c.want)
		}
	}
}

func TestOver(t *testing.T) {
	for _, c := range []struct {
		least int
		wait  time.Duration
		want  int
	}{{240, time.Minute, 14400}, {240, 0, 0}, {0, time.Hour, 0}, {240, 500 * time.Millisecond, 120}} {
		if got := pace.Over(c.least, c.wait); got != c.want {
			t.Errorf("%d B/s over %s is %d bytes, want %d", c.least, c.wait, got, c.want)
		}
	}
}
