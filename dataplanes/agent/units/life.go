package units

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/agent"
	"github.com/sluice-gateway/sluice/dataplanes/agent/verdict"
	"github.com/sluice-gateway/sluice/ir"
)

// Proxy serves what a Life is about, which calls it from one goroutine.
type Proxy interface {
	// Force puts what is assigned in force, and says what became of it. ErrOvertaken
	// ends it where another assignment is not to wait.
	Force(context.Context) (dataplanes.Outcome, error)
	// Child is the process; nil where none was started yet.
	Child() *agent.Child
	// Fallen takes note that the process has ended by itself, and returns the last
	// that it said, for people; empty for nothing.
	Fallen() string
	// Serves reports whether the process serves, though Force has failed.
	Serves(context.Context) bool
	// Leave asks clients to make another connection for their next request, where all
	// of the proxy is about to end.
	Leave(context.Context)
	// Tend does what time asks for.
	Tend(context.Context)
	// End lets what is under way come to an end, and ends the process.
	End()
}

// ErrOvertaken ends work on an assignment because another one waits.
var ErrOvertaken = errors.New("another assignment waits")

// tending is how often a proxy is asked to Tend.
const tending = time.Second

// Life is that of one owner's unit, which is translated into a C.
type Life[C any] struct {
	*Shared
	Owner ir.Object
	// Assigned is what is to be in force.
	Assigned *dataplanes.Assignment
	// Last is what was translated last.
	Last     *C
	Verdicts *verdict.Verdicts
	Good     Good[C]
	// Failed is true where the assignment is to be tried again.
	Failed bool

	proxy  Proxy
	cancel context.CancelFunc
	done   chan struct{}
	// ownKey is the session key where none was given.
	ownKey ir.Secret

	mu sync.Mutex
	// asked is the last wish that is not under way yet.
	asked *dataplanes.Assignment
	wake  chan struct{}
}

// Good is what a proxy took as a whole, and serves. Config is nil before the first.
type Good[C any] struct {
	Config  *C
	Version string
	rules   map[*ir.Rule]bool
}

// NewLife returns one that has not begun.
func NewLife[C any](shared *Shared, owner ir.Object) *Life[C] {
	return &Life[C]{Shared: shared, Owner: owner, Verdicts: verdict.None(), done: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// Begin has a proxy serve until Stop.
func (l *Life[C]) Begin(p Proxy) {
	ctx, cancel := context.WithCancel(context.Background())
	l.proxy, l.cancel = p, cancel
	go l.run(ctx)
}

// Apply takes note of an assignment; one that is not under way yet is forgotten.
func (l *Life[C]) Apply(a *dataplanes.Assignment) {
	l.mu.Lock()
	l.asked = a
	l.mu.Unlock()
	l.Hurry()
}

// Hurry implements Unit.
func (l *Life[C]) Hurry() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Stop implements Unit.
func (l *Life[C]) Stop() {
	l.cancel()
	<-l.done
}

func (l *Life[C]) take() *dataplanes.Assignment {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.asked
	l.asked = nil
	return a
}

// Overtaken reports whether another assignment waits.
func (l *Life[C]) Overtaken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked != nil
}

func (l *Life[C]) run(ctx context.Context) {
	defer close(l.done)
	defer l.proxy.End()
	again := time.NewTicker(tending)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
			if a := l.take(); a != nil {
				l.Assigned = a
				l.Work(ctx)
			}
			l.proxy.Leave(ctx)
		case <-l.fell():
			l.Report(l.down())
			l.Work(ctx)
			l.proxy.Leave(ctx)
		case <-again.C:
			l.proxy.Tend(ctx)
		}
	}
}

// fell receives when the process has ended by itself.
func (l *Life[C]) fell() <-chan struct{} {
	if child := l.proxy.Child(); child != nil {
		return child.Ended()
	}
	return nil
}

// Work puts what is assigned in force, and reports what became of it.
func (l *Life[C]) Work(ctx context.Context) {
	out, err := l.Guarded(ctx)
	if ctx.Err() != nil || errors.Is(err, ErrOvertaken) {
		return
	}
	l.Failed = err != nil
	if err != nil {
		out = l.Everywhere(err.Error())
		out.Down = out.Down || !l.proxy.Serves(ctx)
	}
	// Whoever reads the outcome finds the proxy ready.
	l.admin.SetReady(true)
	l.Report(out)
}

// Guarded puts what is assigned in force. It keeps a mistake of ours about one unit
// from those of all others.
func (l *Life[C]) Guarded(ctx context.Context) (out dataplanes.Outcome, err error) {
	defer func() {
		if r := recover(); r != nil {
			l.Last = nil
			err = fmt.Errorf("the unit cannot be written for %s, which is a mistake in this program: %s", l.Program.Wanted.Name, verdict.Brief(verdict.Redact(fmt.Sprint(r)), "no reason"))
		}
	}()
	return l.proxy.Force(ctx)
}

// Succeed takes note that what was translated last is in force, but for what verdicts
// are on.
func (l *Life[C]) Succeed(but *verdict.Verdicts) {
	l.Records.Metrics.Swapped()
	l.Verdicts = but
	l.Good = Good[C]{Config: l.Last, Version: l.Assigned.Version, rules: map[*ir.Rule]bool{}}
	for _, rule := range verdict.RulesOf(l.Assigned.Unit) {
		l.Good.rules[rule] = true
	}
}

// Rows are suspects in the order in which they are tried: listeners without any rule,
// then rules that are not in force, then all.
func (g Good[C]) Rows(listeners []*ir.Listener, rules []*ir.Rule) [][]any {
	fresh := slices.DeleteFunc(slices.Clone(rules), func(rule *ir.Rule) bool { return g.rules[rule] })
	return [][]any{verdict.Elements(listeners), verdict.Elements(fresh), verdict.Elements(rules)}
}

// Everywhere says the same of every listener.
func (l *Life[C]) Everywhere(message string) dataplanes.Outcome {
	out := dataplanes.Outcome{Owner: l.Owner, Version: l.Assigned.Version, Down: l.Good.Config == nil}
	for _, listener := range l.Assigned.Unit.Proxy.Listeners {
		out.Problems = append(out.Problems, ir.Problem{Origin: verdict.OriginOf(listener), Message: message})
	}
	return out
}

// down is what is true while the process is started again.
func (l *Life[C]) down() dataplanes.Outcome {
	_, err := l.proxy.Child().Starts()
	said := l.proxy.Fallen()
	if said != "" {
		said = ". The last that it said: " + said
	}
	out := l.Everywhere(fmt.Sprintf("%s has ended (%v) and is being started again; until then nothing is served%s", l.Program.Wanted.Name, err, said))
	out.Down = true
	return out
}

// Patience ends when what is under way has had the time that the settings give it to
// come to its end.
func (l *Life[C]) Patience() (context.Context, context.CancelFunc) {
	bound := time.Duration(l.Assigned.Unit.Proxy.Settings.Timeouts.Drain)
	if bound <= 0 {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), bound)
}

// SessionKey is what the tokens of the unit's sessions are made with: what all
// proxies of the unit were given, or else a random one of this proxy's own.
func (l *Life[C]) SessionKey() ir.Secret {
	if key := l.Assigned.SessionKey; key != "" {
		return key
	}
	if l.ownKey == "" {
		random := make([]byte, 32)
		_, _ = rand.Read(random) // It never fails (Go 1.24).
		l.ownKey = ir.Secret(random)
	}
	return l.ownKey
}
