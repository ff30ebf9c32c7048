package kube

import (
	"context"
	"fmt"
	"reflect"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/status"
)

// patience is how long one write may take before it is tried again.
const patience = 15 * time.Second

func (s *Sink) work(ctx context.Context, queue workqueue.TypedRateLimitingInterface[resources.Key]) {
	for {
		key, ended := queue.Get()
		if ended {
			return
		}
		if ctx.Err() == nil {
			s.settle(ctx, key)
		}
		queue.Done(key)
	}
}

// task is one object whose status may have to be written.
type task struct {
	key    resources.Key
	want   wanted
	object client.Object
	now    time.Time
}

// settle writes the status of one object, where it has to be.
func (s *Sink) settle(ctx context.Context, key resources.Key) {
	t, ok := s.task(key)
	if !ok {
		s.queue(key.Kind).Forget(key)
		return
	}
	patch, far, err := s.patchOf(t)
	if err != nil {
		s.opts.Log.Error(err, "a status cannot be written down", "object", key.String())
		return
	}
	if far == none {
		s.queue(key.Kind).Forget(key)
		s.rest(t)
		return
	}
	if wait := s.wait(t, far); wait > 0 {
		s.queue(key.Kind).AddAfter(key, wait)
		return
	}
	s.write(ctx, t, patch)
}

// task gathers what is known of an object; false where there is nothing to do.
func (s *Sink) task(key resources.Key) (*task, bool) {
	object := s.opts.Cluster.Object(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.states[key]
	if object == nil {
		if st != nil && st.want == nil {
			delete(s.states, key)
		}
		return nil, false
	}
	if st == nil {
		st = &state{}
		s.states[key] = st
	}
	if st.overlay != nil && later(st.overlay, object) {
		object = st.overlay
	} else {
		st.overlay = nil
	}
	t := &task{key: key, want: wanted{st.want, st.hold, s.complete}, object: object, now: s.opts.Now()}
	switch {
	case st.want == nil && (!s.complete || s.classless(object)):
		return nil, false
	case st.version == object.GetResourceVersion() && st.version != "" && t.want.equal(st.wrote):
		// This is what became of it when it was written.
		return nil, false
	case st.want != nil && object.GetGeneration() > st.want.Generation:
		// What is wanted is on its way.
		return nil, false
	}
	return t, true
}

// classless reports whether an object is a Gateway whose class does not exist: it
// keeps what runs for it, and so what is said of it.
func (s *Sink) classless(object client.Object) bool {
	gw, ok := object.(*gatewayv1.Gateway)
	return ok && s.opts.Cluster.Object(resources.Key{Kind: resources.GatewayClass, Name: string(gw.Spec.GatewayClassName)}) == nil
}

// later reports whether one state of an object is later than another.
func later(a, b client.Object) bool {
	if a.GetUID() != b.GetUID() {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(a.GetResourceVersion(), b.GetResourceVersion())
	return err == nil && order > 0
}

func equal(a, b *status.Status) bool { return reflect.DeepEqual(a, b) }

// rest notes that an object's status is as it should be.
func (s *Sink) rest(t *task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.states[t.key]
	if st == nil {
		return
	}
	if st.want == t.want.status {
		st.pace.first, st.pace.last = time.Time{}, time.Time{}
	}
	if st.want == nil && t.want.status == nil {
		delete(s.states, t.key)
	}
}

func (s *Sink) wait(t *task, far change) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.states[t.key]
	if st == nil {
		return 0
	}
	return st.pace.wait(far, t.now)
}

// patchOf returns what makes the status right; none where it is.
func (s *Sink) patchOf(t *task) (client.Patch, change, error) {
	now := metav1.NewTime(t.now.Truncate(time.Second))
	if f, have := entriesOf(t.object); f != nil {
		return s.listPatch(t, f, have, now)
	}
	have := wholeOf(t.object)
	if have == nil {
		return nil, none, fmt.Errorf("%v has no status that is known", t.key)
	}
	gvk, served := s.opts.Cluster.Served(t.key.Kind)
	if !served {
		return nil, none, nil
	}
	version := t.object.GetResourceVersion()
	if t.want.status == nil {
		if !s.bears(t.object) {
			return nil, none, nil
		}
		patch, err := apply(gvk, t.key, version, map[string]any{})
		return patch, news, err
	}
	if have.seenBy(t.want.status.Generation) {
		return nil, none, nil
	}
	next := wholeOfStatus(t.want.status).over(have, t.want.hold, now)
	far := next.against(have)
	if far == none {
		return nil, none, nil
	}
	patch, err := apply(gvk, t.key, version, next.json(t.want.status))
	return patch, far, err
}

func (s *Sink) listPatch(t *task, f *field, have []entry, now metav1.Time) (client.Patch, change, error) {
	l := list{have: have, ours: s.opts.Ours, whole: t.want.whole, most: f.most, now: now}
	if t.want.status != nil {
		l.want = f.read(t.want.status)
		for i := range have {
			if s.opts.Ours(have[i].controller) && newer(have[i].conditions, t.want.status.Generation) {
				return nil, none, nil
			}
		}
	}
	e := l.edit()
	if e.left > 0 {
		s.tellOnce(t.key, fmt.Sprintf("the list of %s is full: %d entries of ours are not in it", f.name, e.left))
	}
	if e.empty() {
		return nil, none, nil
	}
	patch, err := f.patch(&e, len(have), t.object.GetResourceVersion())
	return patch, news, err
}

// tellOnce logs what is to be known of an object, unless it was the last thing
// that was.
func (s *Sink) tellOnce(key resources.Key, what string) {
	s.mu.Lock()
	st := s.states[key]
	told := st == nil || st.told == what
	if st != nil {
		st.told = what
	}
	s.mu.Unlock()
	if !told {
		s.opts.Log.Info(what, "object", key.String())
	}
}

// write patches the status subresource, and notes what became of it.
func (s *Sink) write(ctx context.Context, t *task, patch client.Patch) {
	gvk, served := s.opts.Cluster.Served(t.key.Kind)
	if !served {
		return
	}
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(gvk)
	obj.SetNamespace(t.key.Namespace)
	obj.SetName(t.key.Name)
	opts := []client.SubResourcePatchOption{client.FieldOwner(Manager)}
	if f, _ := entriesOf(t.object); f == nil {
		opts = append(opts, client.ForceOwnership)
	}
	asking, cancel := context.WithTimeout(ctx, patience)
	err := s.opts.Client.Status().Patch(asking, obj, patch, opts...)
	cancel()
	s.note(ctx, t, obj, err)
}

func (s *Sink) note(ctx context.Context, t *task, obj *unstructured.Unstructured, err error) {
	queue := s.queue(t.key.Kind)
	switch {
	case err == nil:
		s.count(t, written)
		queue.Forget(t.key)
		s.wrote(t, obj)
	case ctx.Err() != nil:
	case apierrors.IsNotFound(err):
		s.count(t, gone)
		queue.Forget(t.key)
	case apierrors.IsConflict(err):
		s.count(t, conflict)
		if queue.NumRequeues(t.key) >= patientConflicts {
			s.reread(ctx, t)
		}
		queue.AddRateLimited(t.key)
	case apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsRequestEntityTooLargeError(err):
		s.count(t, refused)
		s.wrote(t, nil)
		s.opts.Log.Error(err, "the API server refuses a status; it is written again when it or the object changes", "object", t.key.String())
	default:
		s.count(t, failed)
		if queue.NumRequeues(t.key) == 0 {
			s.opts.Log.Error(err, "a status could not be written; trying again until it can", "object", t.key.String())
		}
		queue.AddRateLimited(t.key)
	}
}

// patientConflicts is how many conflicts in a row are left to the cluster's own
// view, which mostly has the news before the next try.
const patientConflicts = 2

// reread asks the API server for the object itself.
func (s *Sink) reread(ctx context.Context, t *task) {
	gvk, _ := s.opts.Cluster.Served(t.key.Kind)
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(gvk)
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if s.opts.Reader.Get(asking, client.ObjectKey{Namespace: t.key.Namespace, Name: t.key.Name}, obj) == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.overlay(t, obj)
	}
}

// overlay notes an object as the API server has it now.
func (s *Sink) overlay(t *task, obj *unstructured.Unstructured) {
	st := s.states[t.key]
	typed := reflect.New(reflect.TypeOf(t.object).Elem()).Interface().(client.Object)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, typed); err == nil && st != nil {
		st.overlay = typed
	}
}

func (s *Sink) count(t *task, result string) {
	s.writes.WithLabelValues(string(t.key.Kind), result).Inc()
}

// wrote notes a write, and the object that it left; nil where it was refused.
func (s *Sink) wrote(t *task, obj *unstructured.Unstructured) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.states[t.key]
	if st == nil {
		return
	}
	st.wrote, st.version = t.want, t.object.GetResourceVersion()
	if obj != nil {
		st.version = obj.GetResourceVersion()
		s.overlay(t, obj)
	}
	if st.want == t.want.status {
		st.pace.written(s.opts.Now())
		return
	}
	// Something else has come to be wanted meanwhile, and has been queued.
	st.pace.wrote = s.opts.Now()
}
