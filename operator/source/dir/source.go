package dir

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source"
	"github.com/sluice-gateway/sluice/operator/source/dir/schema"
)

// Options say what to read and whom to tell. Only Root is needed.
type Options struct {
	// Root is a directory, or one file.
	Root string
	// Once reads the directory a single time: Run returns after the first batch.
	Once bool
	// Rescan is how often the directory is read although nothing was seen to
	// change. Default: 10 s.
	Rescan time.Duration
	// Settle is how long a file must stay as it is before an object is removed or
	// an error reported. Default: 100 ms.
	Settle time.Duration
	// Report receives everything that is wrong now, whenever that changes, after
	// the events of the same reading. It is called from one goroutine.
	Report func([]Problem)
	// Now is the clock for certificates. Default: time.Now.
	Now func() time.Time
	// Catalog judges the objects. Default: one for the whole process, which
	// compiles the rules of each kind once.
	Catalog *schema.Catalog
}

// Source reads a directory. Make one with New.
type Source struct {
	opts    Options
	catalog *schema.Catalog
	signer  *signer

	// parsed keeps documents by their text from one reading to the next.
	parsed  map[string][]*document
	objects map[resources.Key]resources.Object
	last    *listing
	// settled is true where two readings agreed and the second was taken.
	settled bool
	told    []Problem
	reports int
	// unsaid is true where told has not been reported yet.
	unsaid bool

	mu    sync.Mutex
	state state
}

var _ source.Source = (*Source)(nil)

// catalog is one for the whole process: what it compiles takes most of the time
// that a source needs to start, and never changes.
var catalog = sync.OnceValue(schema.NewCatalog)

// New returns a source that has read nothing yet.
func New(opts Options) *Source {
	if opts.Rescan == 0 {
		opts.Rescan = 10 * time.Second
	}
	if opts.Settle == 0 {
		opts.Settle = 100 * time.Millisecond
	}
	if opts.Report == nil {
		opts.Report = func([]Problem) {}
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Catalog == nil {
		opts.Catalog = catalog()
	}
	return &Source{
		opts: opts, catalog: opts.Catalog, state: state{},
		signer: &signer{now: opts.Now, made: map[signed]map[string][]byte{}},
	}
}

// Kinds implements source.Source.
func (s *Source) Kinds() []resources.Kind { return s.catalog.Kinds() }

// Run implements source.Source. Where the directory cannot be read at the start
// it returns an error; later on, it keeps what it has.
func (s *Source) Run(ctx context.Context, emit func(source.Batch)) error {
	first, err := list(s.opts.Root)
	if err != nil {
		return err
	}
	events := s.take(first, true)
	s.settled = true
	emit(source.Batch{Events: events, Listed: s.Kinds()})
	s.tell()
	if s.opts.Once {
		return nil
	}
	return s.watch(ctx, emit)
}

// Locate says where a field of an object in force is written down, or the
// nearest field above it. The zero Place means that no file defines the object.
func (s *Source) Locate(key resources.Key, field string) Place {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.state[key]
	if h == nil {
		return Place{}
	}
	return h.place(locate(h.document.places, field, h.document.start))
}

// take reads a listing in. Until it is settled, no object goes and no new
// problem is told.
func (s *Source) take(l *listing, settled bool) []resources.Event {
	r := s.read(l)
	after, problems := merge(s.state, r)
	if !settled {
		keep(s.state, after)
	}
	objects := map[resources.Key]resources.Object{}
	for key, h := range after {
		obj, err := s.signer.complete(key, h.object)
		if err != nil {
			problems = append(problems, Problem{
				Place: h.place(h.document.start), Object: key, Field: "metadata.annotations[" + schema.SelfSigned + "]",
				Message: "asks for a certificate that cannot be made: " + err.Error(),
			})
			continue
		}
		objects[key] = obj
	}
	withNamespaces(objects)
	events := difference(s.objects, objects)
	s.mu.Lock()
	s.state = after
	s.mu.Unlock()
	s.objects, s.last = objects, l
	if settled {
		s.note(problems)
	}
	return events
}

// read parses what has not been parsed before.
func (s *Source) read(l *listing) *reading {
	r := &reading{unsure: map[string]bool{}, unread: map[string]bool{}}
	for _, f := range l.files {
		r.miss(f)
	}
	parsed := s.parseAll(l)
	for _, f := range l.files {
		for _, c := range split([]byte(f.text)) {
			for _, d := range parsed[c.text] {
				r.add(found{document: d, path: f.path, line: c.line})
			}
		}
	}
	s.parsed = parsed
	return r
}

// parseAll parses on several cores: compiling the rules of each kind is most of
// the time to the first answer.
func (s *Source) parseAll(l *listing) map[string][]*document {
	parsed := map[string][]*document{}
	var fresh []string
	for _, f := range l.files {
		for _, c := range split([]byte(f.text)) {
			if _, seen := parsed[c.text]; seen {
				continue
			}
			docs, known := s.parsed[c.text]
			parsed[c.text] = docs
			if !known {
				fresh = append(fresh, c.text)
			}
		}
	}
	results := parallel(fresh, func(text string) []*document { return parse(s.catalog, text) })
	for i, text := range fresh {
		parsed[text] = results[i]
	}
	return parsed
}

func (s *Source) note(problems []Problem) {
	slices.SortStableFunc(problems, compareProblems)
	if slices.Equal(problems, s.told) && s.reports > 0 {
		return
	}
	s.told = problems
	s.reports++
	s.unsaid = true
}

func (s *Source) tell() {
	if s.unsaid {
		s.unsaid = false
		s.opts.Report(slices.Clone(s.told))
	}
}
