package dir

import (
	"cmp"
	"context"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/sluice-gateway/sluice/operator/source"
)

// watch reads the directory again whenever it changes: at once, and once more
// when it has settled where the first reading would remove or blame something.
func (s *Source) watch(ctx context.Context, emit func(source.Batch)) error {
	w := newWatcher()
	defer w.close()
	w.follow(s.last.dirs)
	rescan := time.NewTicker(s.opts.Rescan)
	defer rescan.Stop()
	settle := time.NewTimer(s.opts.Settle)
	defer settle.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.changed():
			w.drain()
		case _, open := <-w.failed():
			if open {
				w.drain()
			}
		case <-settle.C:
		case <-rescan.C:
		}
		if again := s.refresh(w, emit); again {
			settle.Reset(s.opts.Settle)
		}
	}
}

// refresh reads once; it returns true where it must be called again after the
// directory has settled.
func (s *Source) refresh(w *watcher, emit func(source.Batch)) bool {
	next, err := list(s.opts.Root)
	if err != nil {
		s.note([]Problem{{Place: Place{File: s.opts.Root}, Message: err.Error() + " (what was read before stays in force)"}})
		s.tell()
		// The problem must go once the directory is there again, as it was.
		s.settled = false
		return false
	}
	w.follow(next.dirs)
	settled := next.same(s.last)
	if settled && s.settled {
		return false
	}
	s.settled = settled
	if events := s.take(next, settled); len(events) > 0 {
		emit(source.Batch{Events: events})
	}
	s.tell()
	return !settled
}

// watcher follows directories. Where the system has no watches left, the slow
// rescan does the work.
type watcher struct {
	notify *fsnotify.Watcher
	dirs   map[string]bool
}

func newWatcher() *watcher {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return &watcher{}
	}
	return &watcher{notify: notify, dirs: map[string]bool{}}
}

func (w *watcher) follow(dirs []string) {
	if w.notify == nil {
		return
	}
	now := map[string]bool{}
	for _, d := range dirs {
		now[d] = true
		// Adding a directory again is how one that was replaced is found.
		_ = w.notify.Add(d)
	}
	for d := range w.dirs {
		if !now[d] {
			_ = w.notify.Remove(d)
		}
	}
	w.dirs = now
}

func (w *watcher) changed() <-chan fsnotify.Event {
	if w.notify == nil {
		return nil
	}
	return w.notify.Events
}

// failed tells of lost events, an overflow for example: then everything is read.
func (w *watcher) failed() <-chan error {
	if w.notify == nil {
		return nil
	}
	return w.notify.Errors
}

// drain takes the events that came with the first one: one reading serves all.
func (w *watcher) drain() {
	for {
		select {
		case <-w.notify.Events:
		case _, open := <-w.notify.Errors:
			if !open {
				return
			}
		default:
			return
		}
	}
}

func (w *watcher) close() {
	if w.notify != nil {
		_ = w.notify.Close()
	}
}

func compareProblems(a, b Problem) int {
	return cmp.Or(
		strings.Compare(a.Place.File, b.Place.File),
		cmp.Compare(a.Place.Line, b.Place.Line),
		cmp.Compare(a.Place.Column, b.Place.Column),
		strings.Compare(a.Message, b.Message),
	)
}

// parallel maps in order, on as many goroutines as there are cores.
func parallel[A, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))
	for i := range in {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			out[i] = f(in[i])
		})
	}
	wg.Wait()
	return out
}
