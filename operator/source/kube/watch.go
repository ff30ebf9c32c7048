package kube

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source"
)

// The time between two tries to begin a watch.
const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// watch is one kind that is being watched in one version.
type watch struct {
	kind    *kind
	version string
	cache   cache.Cache
	log     logr.Logger
	emit    func(source.Batch)
	// contents is nil for kinds that are watched whole.
	contents *contents
	// seen is nil where nobody wants to know.
	seen func(resources.Key, client.Object)

	mu sync.Mutex
	// objects are those of the server, shared with the cache.
	objects map[resources.Key]client.Object
	// before are the keys of the watch before this one: what is not among the
	// objects once they are listed has gone.
	before []resources.Key
	// gathered are the events until everything has been listed.
	gathered []resources.Event
	listed   bool
	stopped  bool
}

var _ toolscache.ResourceEventHandler = (*watch)(nil)

// informed is what asks the cache for this kind.
func (w *watch) informed() client.Object {
	gvk := w.kind.gvk(w.version)
	switch {
	case w.kind.lazy:
		obj := &metav1.PartialObjectMetadata{}
		obj.SetGroupVersionKind(gvk)
		return obj
	case w.version != w.kind.versions[0]:
		obj := &unstructured.Unstructured{}
		obj.SetGroupVersionKind(gvk)
		return obj
	}
	return w.kind.make()
}

// run watches until the context ends, and tries again where that cannot begin.
func (w *watch) run(ctx context.Context) {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		err := w.begin(ctx)
		if err == nil || ctx.Err() != nil {
			break
		}
		w.log.Error(err, "cannot watch a kind; trying again", "kind", w.kind.name, "version", w.version, "in", wait.String())
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	<-ctx.Done()
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
}

func (w *watch) begin(ctx context.Context) error {
	informer, err := w.cache.GetInformer(ctx, w.informed(), cache.BlockUntilSynced(false))
	if err != nil {
		return err
	}
	registration, err := informer.AddEventHandler(w)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-registration.HasSyncedChecker().Done():
		w.finish()
	}
	return nil
}

// finish hands over everything that was listed, in one batch.
func (w *watch) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range w.before {
		if w.objects[key] == nil {
			w.gathered = append(w.gathered, resources.Event{Key: key})
			w.tell(key, nil)
		}
	}
	w.emit(source.Batch{Events: w.gathered, Listed: []resources.Kind{w.kind.name}})
	w.log.V(1).Info("watching", "kind", w.kind.name, "version", w.version, "objects", len(w.objects))
	w.listed, w.gathered, w.before = true, nil, nil
}

// end takes everything away that the watch has seen. It returns once nothing of
// the watch is said any more.
func (w *watch) end() (keys []resources.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	for key := range w.objects {
		keys = append(keys, key)
	}
	return append(keys, w.before...)
}

func (w *watch) object(key resources.Key) client.Object {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.objects[key]
}

// OnAdd implements ResourceEventHandler.
func (w *watch) OnAdd(obj any, _ bool) { w.change(obj) }

// OnUpdate implements ResourceEventHandler.
func (w *watch) OnUpdate(_, obj any) { w.change(obj) }

// OnDelete implements ResourceEventHandler.
func (w *watch) OnDelete(obj any) {
	if last, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
		obj = last.Obj
	}
	o, ok := obj.(client.Object)
	if !ok {
		return
	}
	key := w.key(o)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return
	}
	delete(w.objects, key)
	if w.contents != nil {
		w.contents.gone(key)
	}
	w.put(resources.Event{Key: key})
	w.tell(key, nil)
}

func (w *watch) change(obj any) {
	o, err := w.typed(obj)
	if err != nil {
		w.log.Error(err, "an object cannot be read; it is left as it was", "kind", w.kind.name)
		return
	}
	key := w.key(o)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return
	}
	old := w.objects[key]
	w.objects[key] = o
	w.tell(key, o)
	if w.contents != nil {
		if w.contents.stub(key, o.GetResourceVersion()) {
			w.put(resources.Event{Key: key, Object: resources.NewStub(key)})
		}
		return
	}
	if old == nil || differs(old, o) {
		w.put(resources.Event{Key: key, Object: bare(o)})
	}
}

func (w *watch) put(e resources.Event) {
	if !w.listed {
		w.gathered = append(w.gathered, e)
		return
	}
	w.emit(source.Batch{Events: []resources.Event{e}})
}

func (w *watch) tell(key resources.Key, obj client.Object) {
	if w.seen != nil {
		w.seen(key, obj)
	}
}

func (w *watch) key(o client.Object) resources.Key {
	return resources.Key{Kind: w.kind.name, Namespace: o.GetNamespace(), Name: o.GetName()}
}

// typed returns an object as the Go type of its kind: that of an older version
// has the same shape.
func (w *watch) typed(obj any) (client.Object, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return obj.(client.Object), nil
	}
	made := w.kind.make()
	return made, fromUnstructured(u, made)
}
