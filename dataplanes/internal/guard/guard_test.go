package guard

import (
	"context"
	"sync"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/allowance"
)

func TestSharesLeaveDescriptorsForTheRest(t *testing.T) {
	for _, n := range []uint64{1, 16, 64, 256, 1024, 4096, 65536, 1 << 20, 1 << 40} {
		g := New(Input{Descriptors: n})
		sum := g.Clients.Most() + g.Requests.Most() + g.Idle.Most()
		if n >= 16 && sum > int64(min(n, 1<<31)) || g.Clients.Most() < 1 || g.Requests.Most() < 1 || g.Idle.Most() < 1 || g.Opening.Most() < 1 || g.Sessions.Most() < 1 || n > 64 && g.Sessions.Most() > g.Clients.Most()/2 {
			t.Errorf("%d descriptors: shares of %d, %d and %d", n, g.Clients.Most(), g.Requests.Most(), g.Idle.Most())
		}
		if n >= 1024 && n < 1<<31 && int64(n)-sum < spare {
			t.Errorf("%d descriptors: %d are left, want %d", n, int64(n)-sum, spare)
		}
	}
	if g := New(Input{}); !g.Clients.Take(1<<40) || !g.Requests.Take(1) || !g.Idle.Take(1) || g.Clients.Most() != 0 {
		t.Error("an unknown number of descriptors is a bound")
	}
}

func TestBudget(t *testing.T) {
	b := NewBudget(2)
	if !b.Take(2) || b.Take(1) || b.Taken() != 2 {
		t.Errorf("two were to be had, %d were taken", b.Taken())
	}
	b.Give(1)
	if b.Take(2) || !b.Take(1) {
		t.Error("what was given back is one")
	}
	var none *Budget
	if !none.Take(100) || none.Taken() != 0 || none.Most() != 0 {
		t.Error("no budget is a bound")
	}
	none.Give(100)
}

func TestBudgetIsNeverOverdrawn(t *testing.T) {
	b := NewBudget(10)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				if b.Take(3) {
					if b.Taken() < 3 {
						t.Error("more was given back than taken")
					}
					b.Give(3)
				}
			}
		})
	}
	all.Wait()
	if b.Taken() != 0 {
		t.Errorf("%d are left", b.Taken())
	}
}

func TestPressureHasTwoMarks(t *testing.T) {
	g := New(Input{Memory: 1000})
	for _, step := range []struct {
		live int64
		want bool
	}{{800, false}, {851, true}, {840, true}, {831, true}, {830, false}, {800, false}} {
		if g.weigh(step.live); g.Pressed() != step.want {
			t.Errorf("at %d of 1000 pressed is %t, want %t", step.live, g.Pressed(), step.want)
		}
	}
}

func TestWatchSeesMemoryAndEnds(t *testing.T) {
	// Less than any process has.
	g := New(Input{Memory: 1000})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		g.Watch(ctx)
		close(ended)
	}()
	for !g.Pressed() {
		select {
		case <-ended:
			t.Fatal("it ended by itself")
		default:
		}
	}
	cancel()
	<-ended
	New(Input{}).Watch(context.Background())
}

func TestThisProcess(t *testing.T) {
	if allowance.Descriptors() == 0 {
		t.Skip("the system does not say")
	}
	if New(Input{Descriptors: allowance.Descriptors()}).Clients.Most() < 1 {
		t.Error("no client would be let in")
	}
}

func BenchmarkTake(b *testing.B) {
	budget := NewBudget(1 << 20)
	for b.Loop() {
		budget.Take(1)
		budget.Give(1)
	}
}
