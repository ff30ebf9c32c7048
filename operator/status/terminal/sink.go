package terminal

import (
	"context"
	"io"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/operator/engine"
	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source/dir"
)

const (
	// calm is how long nothing must happen before something is shown, so that a
	// unit that is on its way is not shown as waiting.
	calm = 80 * time.Millisecond
	// patience is how long something that is on its way may hold that up.
	patience = 2 * time.Second
)

// Options say how to show things.
type Options struct {
	Out io.Writer
	// Title is the first line.
	Title  string
	Colour bool
	// Columns says how wide the terminal is now; nil and 0 break no lines.
	Columns func() int
	// Served is false where objects are checked and nothing runs.
	Served bool
	// Locate says where a field of an object is written; nil names no places.
	Locate func(resources.Key, string) string
}

// Sink shows statuses. Make one with New.
type Sink struct {
	opts Options

	mu       sync.Mutex
	snapshot engine.Snapshot
	problems []dir.Problem
	news     chan struct{}

	// What is on the screen.
	shown    *board
	reported []dir.Problem
	widths   widths
}

var _ engine.Sink = (*Sink)(nil)

// New returns a sink that has shown nothing yet.
func New(opts Options) *Sink {
	return &Sink{opts: opts, news: make(chan struct{}, 1)}
}

// Publish implements engine.Sink.
func (s *Sink) Publish(snapshot engine.Snapshot) {
	s.mu.Lock()
	s.snapshot = snapshot
	s.mu.Unlock()
	s.wake()
}

// Problems takes everything that is wrong with files now.
func (s *Sink) Problems(problems []dir.Problem) {
	s.mu.Lock()
	s.problems = problems
	s.mu.Unlock()
	s.wake()
}

func (s *Sink) wake() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// Run shows what changes until the context ends.
func (s *Sink) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.news:
		}
		s.wait(ctx)
		_ = s.Flush()
	}
}

// wait returns when things have calmed down.
func (s *Sink) wait(ctx context.Context) {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	quiet := time.NewTimer(calm)
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-limit.C:
			return
		case <-s.news:
			quiet.Reset(calm)
		case <-quiet.C:
			if next, _ := s.now(); next.settled() {
				return
			}
		}
	}
}

func (s *Sink) now() (*board, []dir.Problem) {
	s.mu.Lock()
	snapshot, problems := s.snapshot, s.problems
	s.mu.Unlock()
	b := newBoard(snapshot, s.opts.Served, s.opts.Locate)
	b.blame(problems)
	return b, problems
}

// Flush shows at once what has changed since it was last called.
func (s *Sink) Flush() error {
	next, problems := s.now()
	p := &painter{colour: s.opts.Colour}
	if s.opts.Columns != nil {
		p.columns = s.opts.Columns()
	}
	s.widths.fit(next.rows)
	if s.shown == nil {
		s.first(p, next, problems)
	} else {
		s.changes(p, next, problems)
	}
	s.shown, s.reported = next, problems
	_, err := io.WriteString(s.opts.Out, p.String())
	return err
}

// Healthy reports whether every object is accepted and every file was read.
func (s *Sink) Healthy() bool {
	next, problems := s.now()
	return next.healthy() && !slices.ContainsFunc(problems, func(p dir.Problem) bool { return !p.Note })
}

// Object is one line of a Listing.
type Object struct {
	Kind      string    `json:"kind"`
	Namespace string    `json:"namespace,omitempty"`
	Name      string    `json:"name"`
	Healthy   bool      `json:"healthy"`
	Troubles  []Trouble `json:"troubles,omitempty"`
}

// Trouble is a condition of an object that is not as it should be, or what is
// wrong with a file.
type Trouble struct {
	Subject   string   `json:"subject,omitempty"`
	Condition string   `json:"condition,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	Message   string   `json:"message"`
	Places    []string `json:"places,omitempty"`
	Warning   bool     `json:"warning,omitempty"`
}

// Listing is what is shown, for programs.
type Listing struct {
	Healthy bool      `json:"healthy"`
	Objects []Object  `json:"objects"`
	Files   []Trouble `json:"files,omitempty"`
}

// Listing returns everything as it is now.
func (s *Sink) Listing() Listing {
	board, problems := s.now()
	l := Listing{Healthy: s.Healthy(), Objects: []Object{}}
	for _, r := range board.rows {
		o := Object{Kind: string(r.key.Kind), Namespace: r.key.Namespace, Name: r.key.Name, Healthy: r.mark != bad}
		for _, t := range r.troubles {
			o.Troubles = append(o.Troubles, Trouble{
				Subject: t.subject, Condition: t.condition, Reason: t.reason, Message: t.message, Places: t.places, Warning: t.mark != bad,
			})
		}
		l.Objects = append(l.Objects, o)
	}
	for _, p := range problems {
		l.Files = append(l.Files, Trouble{Message: p.String(), Places: []string{p.Place.String()}, Warning: p.Note})
	}
	return l
}

func (s *Sink) first(p *painter, next *board, problems []dir.Problem) {
	p.line("%s\n", p.paint(bold, s.opts.Title))
	for _, r := range next.rows {
		p.row(r, s.widths)
	}
	if len(next.rows) == 0 {
		p.line("  no Gateway and no route is here yet: examples/quickstart shows what to write")
	}
	if len(problems) > 0 {
		p.line("")
	}
	for _, problem := range problems {
		p.problem(problem)
	}
	if len(next.try) > 0 {
		p.line("")
		for i, url := range next.try {
			label := "   "
			if i == 0 {
				label = "try"
			}
			p.line("  %s %s", p.paint(dim, label), url)
		}
	}
	p.line("")
}

func (s *Sink) changes(p *painter, next *board, problems []dir.Problem) {
	old := map[resources.Key]row{}
	for _, r := range s.shown.rows {
		old[r.key] = r
	}
	for _, r := range next.rows {
		if before, was := old[r.key]; !was || !reflect.DeepEqual(before, r) {
			p.row(r, s.widths)
		}
		delete(old, r.key)
	}
	for _, r := range s.shown.rows {
		if _, gone := old[r.key]; gone {
			p.line("  %s %-*s  %-*s  %s", p.paint(dim, "-"), s.widths.kind, r.key.Kind, s.widths.name, nameOf(r), p.paint(dim, "gone"))
		}
	}
	for _, problem := range problems {
		if !slices.Contains(s.reported, problem) {
			p.problem(problem)
		}
	}
	s.mended(p, problems)
	for _, url := range next.try {
		if !slices.Contains(s.shown.try, url) {
			p.line("  %s %s", p.paint(dim, "try"), url)
		}
	}
}

// mended says which files are well again.
func (s *Sink) mended(p *painter, problems []dir.Problem) {
	still := map[string]bool{}
	for _, problem := range problems {
		still[problem.Place.File] = true
	}
	for _, problem := range s.reported {
		if file := problem.Place.File; !problem.Note && !still[file] {
			still[file] = true
			p.line("  %s %s", p.sign(good), file)
		}
	}
}
