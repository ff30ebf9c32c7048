package kube

import (
	"context"
	"slices"
	"strings"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source"
)

// definitions watches CRDs, and the kinds that they make. One goroutine decides.
type definitions struct {
	source *Source
	emit   func(source.Batch)
	queue  workqueue.TypedRateLimitingInterface[string]
	// running are the kinds that are watched, by the CRD's name.
	running map[string]*running
	// undecided are the CRDs of which it is not known whether they are there.
	undecided map[string]bool
	// mute are the CRDs whose trouble was told.
	mute map[string]bool
}

type running struct {
	version string
	watch   *watch
	stop    context.CancelFunc
	stopped chan struct{}
}

var _ toolscache.ResourceEventHandler = (*definitions)(nil)

func newDefinitions(s *Source, emit func(source.Batch)) *definitions {
	d := &definitions{
		source: s, emit: emit, running: map[string]*running{}, undecided: map[string]bool{}, mute: map[string]bool{},
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](firstRetry, lastRetry)),
	}
	for i := range kinds {
		if name := kinds[i].crd(); name != "" {
			d.undecided[name] = true
		}
	}
	return d
}

// run watches until the context ends.
func (d *definitions) run(ctx context.Context) {
	listed := make(chan struct{})
	go func() {
		d.begin(ctx, listed)
		<-ctx.Done()
		d.queue.ShutDown()
	}()
	select {
	case <-ctx.Done():
		return
	case <-listed:
	}
	for name := range d.undecided {
		d.queue.Add(name)
	}
	for {
		name, ended := d.queue.Get()
		if ended {
			break
		}
		d.decide(ctx, name)
		d.queue.Done(name)
	}
	for _, r := range d.running {
		r.stop()
		<-r.stopped
	}
}

// begin watches CRDs, and closes a channel once all have been listed.
func (d *definitions) begin(ctx context.Context, listed chan struct{}) {
	obj := &metav1.PartialObjectMetadata{}
	obj.SetGroupVersionKind(definitionKind)
	for wait := firstRetry; ctx.Err() == nil; wait = min(2*wait, lastRetry) {
		informer, err := d.source.opts.Cache.GetInformer(ctx, obj, cache.BlockUntilSynced(false))
		var registration toolscache.ResourceEventHandlerRegistration
		if err == nil {
			registration, err = informer.AddEventHandler(d)
		}
		if err == nil {
			select {
			case <-ctx.Done():
			case <-registration.HasSyncedChecker().Done():
				close(listed)
			}
			return
		}
		d.source.opts.Log.Error(err, "cannot watch CustomResourceDefinitions; trying again", "in", wait.String())
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// OnAdd implements ResourceEventHandler.
func (d *definitions) OnAdd(obj any, _ bool) { d.note(obj) }

// OnUpdate implements ResourceEventHandler.
func (d *definitions) OnUpdate(_, obj any) { d.note(obj) }

// OnDelete implements ResourceEventHandler.
func (d *definitions) OnDelete(obj any) {
	if last, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
		obj = last.Obj
	}
	d.note(obj)
}

// note queues a CRD that matters: of a kind that is read, or of Gateway API at
// all, as its version does.
func (d *definitions) note(obj any) {
	o, ok := obj.(client.Object)
	if !ok {
		return
	}
	if name := o.GetName(); kindByCRD(name) != nil || strings.HasSuffix(name, "."+gatewayv1.GroupName) {
		d.queue.Add(name)
	}
}

// decide reads a CRD and does what follows from it.
func (d *definitions) decide(ctx context.Context, name string) {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := d.source.opts.Reader.Get(asking, client.ObjectKey{Name: name}, crd)
	switch {
	case ctx.Err() != nil:
	case apierrors.IsNotFound(err):
		d.queue.Forget(name)
		d.remove(name)
	case err != nil:
		d.complain(err, name)
		d.queue.AddRateLimited(name)
	default:
		d.queue.Forget(name)
		delete(d.mute, name)
		d.take(ctx, crd)
	}
}

func (d *definitions) complain(err error, name string) {
	if !d.mute[name] {
		d.mute[name] = true
		d.source.opts.Log.Error(err, "cannot read a CustomResourceDefinition; trying again until it can be read", "name", name)
	}
}

// take watches the kind of a CRD that is established, and tells of the CRD. What
// is not established yet brings another event when it is.
func (d *definitions) take(ctx context.Context, crd *apiextensionsv1.CustomResourceDefinition) {
	if !established(crd) {
		// One that is just being made must not count as missing for that moment: what
		// depends on its kind would be decided without it.
		if !d.undecided[crd.Name] || has(crd, apiextensionsv1.NamesAccepted, apiextensionsv1.ConditionFalse) {
			d.remove(crd.Name)
		}
		return
	}
	d.tell(crd.Name, trimmed(crd))
	k := kindByCRD(crd.Name)
	if k == nil {
		return
	}
	version, ok := k.best(crd)
	if !ok {
		d.source.opts.Log.Info("a kind is not read: the cluster serves none of the versions that are known",
			"kind", k.name, "known", strings.Join(k.versions, ", "))
		d.stop(crd.Name, k)
		return
	}
	if r := d.running[crd.Name]; r == nil || r.version != version {
		d.start(ctx, k, version)
	}
}

// start watches a kind, in the place of another version of it.
func (d *definitions) start(ctx context.Context, k *kind, version string) {
	before := d.halt(k.crd())
	w := d.source.watch(k, version, d.emit)
	w.before = before
	watching, cancel := context.WithCancel(ctx)
	r := &running{version: version, watch: w, stop: cancel, stopped: make(chan struct{})}
	d.running[k.crd()] = r
	go func() {
		defer close(r.stopped)
		w.run(watching)
	}()
}

// halt ends the watch of a CRD's kind, and returns the keys that it has told of.
func (d *definitions) halt(name string) []resources.Key {
	r := d.running[name]
	if r == nil {
		return nil
	}
	keys := r.watch.end()
	r.stop()
	<-r.stopped
	delete(d.running, name)
	d.source.forget(r.watch)
	if err := d.source.opts.Cache.RemoveInformer(context.Background(), r.watch.informed()); err != nil {
		d.source.opts.Log.Error(err, "cannot stop a watch", "kind", r.watch.kind.name)
	}
	return keys
}

// stop ends the watch of a kind, whose objects are no more.
func (d *definitions) stop(name string, k *kind) {
	batch := source.Batch{Listed: []resources.Kind{k.name}}
	for _, key := range d.halt(name) {
		batch.Events = append(batch.Events, resources.Event{Key: key})
		if seen := d.source.opts.Seen; seen != nil {
			seen(key, nil)
		}
	}
	d.emit(batch)
}

// remove takes a CRD away that is not there (any more).
func (d *definitions) remove(name string) {
	if k := kindByCRD(name); k != nil {
		if d.running[name] != nil {
			d.source.opts.Log.Info("a kind is not watched any more: its CustomResourceDefinition has gone", "kind", k.name)
		}
		d.stop(name, k)
	}
	d.tell(name, nil)
}

// tell hands over what is known of a CRD of Gateway API, nil where it is not
// there, and says when all are known.
func (d *definitions) tell(name string, crd *apiextensionsv1.CustomResourceDefinition) {
	var batch source.Batch
	if strings.HasSuffix(name, "."+gatewayv1.GroupName) {
		e := resources.Event{Key: resources.Key{Kind: resources.CRD, Name: name}}
		if crd != nil {
			e.Object = crd
		}
		batch.Events = []resources.Event{e}
	}
	if d.undecided[name] {
		delete(d.undecided, name)
		if len(d.undecided) == 0 {
			batch.Listed = []resources.Kind{resources.CRD}
		}
	}
	d.emit(batch)
}

func established(crd *apiextensionsv1.CustomResourceDefinition) bool {
	return has(crd, apiextensionsv1.Established, apiextensionsv1.ConditionTrue)
}

func has(crd *apiextensionsv1.CustomResourceDefinition, kind apiextensionsv1.CustomResourceDefinitionConditionType, status apiextensionsv1.ConditionStatus) bool {
	return slices.ContainsFunc(crd.Status.Conditions, func(c apiextensionsv1.CustomResourceDefinitionCondition) bool {
		return c.Type == kind && c.Status == status
	})
}

func kindByCRD(name string) *kind {
	for i := range kinds {
		if crd := kinds[i].crd(); crd != "" && crd == name {
			return &kinds[i]
		}
	}
	return nil
}

// trimmed is what is translated from a CRD: its annotations, names and the
// shape of what is served, without the descriptions, which are most of it.
func trimmed(crd *apiextensionsv1.CustomResourceDefinition) *apiextensionsv1.CustomResourceDefinition {
	t := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: crd.Name, Annotations: crd.Annotations, Generation: crd.Generation},
		Spec:       apiextensionsv1.CustomResourceDefinitionSpec{Group: crd.Spec.Group, Names: crd.Spec.Names, Scope: crd.Spec.Scope},
	}
	for i := range crd.Spec.Versions {
		v := &crd.Spec.Versions[i]
		if !v.Served {
			continue
		}
		kept := apiextensionsv1.CustomResourceDefinitionVersion{Name: v.Name, Served: true, Storage: v.Storage}
		if v.Schema != nil && v.Schema.OpenAPIV3Schema != nil {
			kept.Schema = &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: shape(v.Schema.OpenAPIV3Schema)}
		}
		t.Spec.Versions = append(t.Spec.Versions, kept)
	}
	return t
}

// shape keeps which fields a schema has, and which values an enumeration.
func shape(s *apiextensionsv1.JSONSchemaProps) *apiextensionsv1.JSONSchemaProps {
	kept := &apiextensionsv1.JSONSchemaProps{Type: s.Type, Enum: s.Enum, XPreserveUnknownFields: s.XPreserveUnknownFields}
	if s.Items != nil && s.Items.Schema != nil {
		kept.Items = &apiextensionsv1.JSONSchemaPropsOrArray{Schema: shape(s.Items.Schema)}
	}
	if len(s.Properties) > 0 {
		kept.Properties = make(map[string]apiextensionsv1.JSONSchemaProps, len(s.Properties))
		for name := range s.Properties {
			property := s.Properties[name]
			kept.Properties[name] = *shape(&property)
		}
	}
	return kept
}
