package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/ir"
)

// job is one round of work on a unit.
type job struct {
	unit    *unit
	in      Input
	removed bool
	// seen are the unit's objects as they were last seen, by kind and name.
	seen map[string]map[string]client.Object
	pods []corev1.Pod
}

// patience bounds one round: a server that does not answer costs one worker no
// longer.
const patience = 30 * time.Second

// work works on units until the queue is shut.
func (p *Provisioner) work(ctx context.Context) {
	for {
		owner, stop := p.queue.Get()
		if stop {
			return
		}
		p.round(ctx, owner)
		p.queue.Done(owner)
	}
}

func (p *Provisioner) round(ctx context.Context, owner ir.Object) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p.mu.Lock()
	u := p.units[owner]
	j := &job{unit: u, in: u.input, removed: u.removed}
	p.mu.Unlock()
	err := p.look(ctx, j)
	switch {
	case err != nil:
	case j.removed:
		err = p.clear(ctx, j)
	default:
		err = p.keep(ctx, j)
	}
	switch {
	case err == nil || ctx.Err() != nil && p.queue.ShuttingDown():
		p.queue.Forget(owner)
	case errors.Is(err, errLater):
		p.queue.AddAfter(owner, betweenCorrections)
	default:
		p.opts.Log.V(1).Info("will be tried again", "unit", owner, "error", err.Error())
		p.queue.AddRateLimited(owner)
	}
}

// look reads what the cache has of a unit.
func (p *Provisioner) look(ctx context.Context, j *job) error {
	ours := []client.ListOption{client.InNamespace(j.in.Owner.Namespace), client.MatchingLabels(selector(j.in.Owner))}
	j.seen = map[string]map[string]client.Object{}
	for _, k := range kinds {
		list := k.list()
		if err := p.opts.Cache.List(ctx, list, ours...); err != nil {
			return err
		}
		j.seen[k.name] = map[string]client.Object{}
		if err := meta.EachListItem(list, func(o runtime.Object) error {
			obj := o.(client.Object)
			obj.GetObjectKind().SetGroupVersionKind(k.gvk)
			j.seen[k.name][obj.GetName()] = obj
			return nil
		}); err != nil {
			return err
		}
	}
	var pods corev1.PodList
	if err := p.opts.Cache.List(ctx, &pods, ours...); err != nil {
		return err
	}
	j.pods = pods.Items
	return nil
}

// clear takes everything of a unit away.
func (p *Provisioner) clear(ctx context.Context, j *job) error {
	var failed []error
	for _, k := range kinds {
		for _, obj := range j.seen[k.name] {
			if madeFor(j.in.Owner, obj) {
				failed = append(failed, p.take(ctx, k.name, obj))
			}
		}
	}
	return errors.Join(failed...)
}

// keep makes a unit's objects be as they are to be, and says what came of it. One
// object that cannot be made holds up no other.
func (p *Provisioner) keep(ctx context.Context, j *job) error {
	objects := Objects(&j.in, p.site())
	j.lead(objects)
	var failed []error
	for _, obj := range objects {
		err := p.settle(ctx, j, obj)
		failed = append(failed, err)
		if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
			// Whatever comes next is refused for the same reason, and the owner goes too.
			break
		}
	}
	err := errors.Join(failed...)
	if err == nil {
		// What is there for now must not go before what follows it is there.
		err = p.prune(ctx, j, objects)
	}
	state, stateErr := p.state(ctx, j, p.lackOf(j.in.Owner, failed))
	if stateErr != nil {
		return errors.Join(err, stateErr)
	}
	p.put(j.unit, &j.in, state)
	return err
}

// stubborn is after how many tries, some seconds, what passes by itself mostly is
// told: a webhook that is down, or no node port that is free.
const stubborn = 5

// lackOf is that of the first object that was refused, or else could not be written
// again and again: what runs is not what is asked for.
func (p *Provisioner) lackOf(owner ir.Object, failed []error) *dataplanes.Lack {
	for _, err := range failed {
		if r := (*refusal)(nil); errors.As(err, &r) {
			return r.lack
		}
	}
	for _, err := range failed {
		if err != nil && !errors.Is(err, errLater) && p.queue.NumRequeues(owner) >= stubborn {
			return &dataplanes.Lack{Reason: "Pending", Message: fmt.Sprintf("Tried again and again: %v", err)}
		}
	}
	return nil
}

// lead has the Service lead to the pods of the class before while none of the new
// class's is ready, and to all of them until the last of the class before is gone:
// a node lets go at once of the UDP flows of a pod that a Service does not have any
// more, and of one that is about to end it does not.
func (j *job) lead(objects []client.Object) {
	for _, obj := range objects {
		svc, ok := obj.(*corev1.Service)
		if !ok {
			continue
		}
		before, ok := j.seen["Service"][svc.Name].(*corev1.Service)
		switch {
		case !ok || len(before.Spec.Selector) == 0:
		case !j.settled():
			svc.Spec.Selector = before.Spec.Selector
		case j.others():
			svc.Spec.Selector = selector(j.in.Owner)
		}
	}
}

// others reports whether there are pods of another class, those that are about to
// end included.
func (j *job) others() bool {
	return slices.ContainsFunc(j.pods, func(pod corev1.Pod) bool { return pod.Labels[labelWorkload] != workloadHash(&j.in) })
}

// settled reports whether the pods of the unit's class serve, or nobody else's
// do.
func (j *job) settled() bool {
	others := false
	for i := range j.pods {
		if !serving(&j.pods[i]) {
			continue
		}
		if j.pods[i].Labels[labelWorkload] == workloadHash(&j.in) {
			return true
		}
		others = true
	}
	return !others
}

// prune takes away what the unit had and is not to have any more: a budget for
// one replica, and what another class needed, once the new pods serve. The
// Service stays: its address is the Gateway's.
func (p *Provisioner) prune(ctx context.Context, j *job, objects []client.Object) error {
	wanted := map[string]bool{}
	for _, obj := range objects {
		wanted[obj.GetObjectKind().GroupVersionKind().Kind+"/"+obj.GetName()] = true
	}
	var failed []error
	for _, k := range kinds {
		for name, obj := range j.seen[k.name] {
			switch {
			case wanted[k.name+"/"+name], name == unitName(j.in.Owner), !j.owns(obj):
			case obj.GetLabels()[labelWorkload] != workloadHash(&j.in) && !j.settled():
			default:
				failed = append(failed, p.take(ctx, k.name, obj))
			}
		}
	}
	return errors.Join(failed...)
}

// sweepAll removes units that were provisioned before and are not kept.
func (p *Provisioner) sweepAll(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case keep := <-p.sweep:
			for _, owner := range p.provisioned(ctx, keep) {
				p.abandon(owner)
			}
		}
	}
}

// provisioned are the owners for whom something is there, less some.
func (p *Provisioner) provisioned(ctx context.Context, less []ir.Object) []ir.Object {
	known := map[ir.Object]bool{}
	for _, owner := range less {
		known[owner] = true
	}
	var found []ir.Object
	for _, k := range kinds {
		list := k.list()
		if err := p.opts.Cache.List(ctx, list, client.MatchingLabels{labelManagedBy: managedBy}); err != nil {
			p.opts.Log.Error(err, "cannot list what was provisioned before", "kind", k.name)
			continue
		}
		_ = meta.EachListItem(list, func(o runtime.Object) error {
			obj := o.(metav1.Object)
			if by := metav1.GetControllerOf(obj); by != nil {
				owner := ir.Object{Kind: by.Kind, Namespace: obj.GetNamespace(), Name: by.Name}
				if madeFor(owner, obj) && !known[owner] {
					known[owner] = true
					found = append(found, owner)
				}
			}
			return nil
		})
	}
	return found
}
