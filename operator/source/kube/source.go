package kube

import (
	"context"
	"sync"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source"
)

// Options are what a Source reads with.
type Options struct {
	// Cache is one of CacheOptions, which somebody starts.
	Cache cache.Cache
	// Reader reads from the API server itself: CRDs, and the contents of Secrets
	// and ConfigMaps.
	Reader client.Reader
	Log    logr.Logger
	// Seen is told of every change of an object of Gateway API, statuses included;
	// the object is nil where it is gone. It must return at once, and not change
	// the object. nil is nobody.
	Seen func(resources.Key, client.Object)
}

// Source reads a cluster. Make one with New.
type Source struct {
	opts     Options
	contents *contents

	mu      sync.Mutex
	watches map[resources.Kind]*watch
}

var _ source.Lazy = (*Source)(nil)

// New returns a source that has read nothing yet.
func New(opts Options) *Source {
	s := &Source{opts: opts, watches: map[resources.Kind]*watch{}}
	s.contents = newContents(opts.Reader, opts.Log)
	return s
}

// Kinds implements source.Source.
func (s *Source) Kinds() []resources.Kind {
	list := []resources.Kind{resources.CRD}
	for i := range kinds {
		list = append(list, kinds[i].name)
	}
	return list
}

// Want implements source.Lazy.
func (s *Source) Want(keys []resources.Key) { s.contents.want(keys) }

// Forget implements source.Lazy.
func (s *Source) Forget(keys []resources.Key) {
	for _, key := range keys {
		s.contents.gone(key)
	}
}

// Object returns an object of Gateway API as the cluster has it, status included;
// nil where it is not there, or not known yet. It is shared and must not be
// changed.
func (s *Source) Object(key resources.Key) client.Object {
	s.mu.Lock()
	w := s.watches[key.Kind]
	s.mu.Unlock()
	if w == nil {
		return nil
	}
	return w.object(key)
}

// Served returns what a kind is called in the version that is read of it; false
// while it is not watched.
func (s *Source) Served(name resources.Kind) (schema.GroupVersionKind, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.watches[name]
	if w == nil {
		return schema.GroupVersionKind{}, false
	}
	return w.kind.gvk(w.version), true
}

// Run implements source.Source. It ends with the context alone: what the API
// server refuses or does not answer is tried again.
func (s *Source) Run(ctx context.Context, emit func(source.Batch)) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { s.contents.run(ctx, emit) })
	d := newDefinitions(s, emit)
	running.Go(func() { d.run(ctx) })
	for i := range kinds {
		if kinds[i].plural == "" {
			w := s.watch(&kinds[i], kinds[i].versions[0], emit)
			running.Go(func() { w.run(ctx) })
		}
	}
	<-ctx.Done()
	return nil
}

// watch notes a watch in the place of the kind's one before.
func (s *Source) watch(k *kind, version string, emit func(source.Batch)) *watch {
	w := &watch{
		kind: k, version: version, cache: s.opts.Cache, log: s.opts.Log, emit: emit,
		objects: map[resources.Key]client.Object{},
	}
	if k.lazy {
		w.contents = s.contents
	}
	if k.plural != "" {
		w.seen = s.opts.Seen
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watches[k.name] = w
	return w
}

// forget drops a watch that has ended.
func (s *Source) forget(w *watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watches[w.kind.name] == w {
		delete(s.watches, w.kind.name)
	}
}
