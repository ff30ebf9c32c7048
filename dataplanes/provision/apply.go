package provision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/ir"
)

// refusal is why an object cannot be as it is to be, and what the unit's owner is
// told. What passes by itself has no lack.
type refusal struct {
	lack *dataplanes.Lack
	err  error
}

func (r *refusal) Error() string { return r.err.Error() }

func (r *refusal) Unwrap() error { return r.err }

// settle makes one object be as it is to be. It writes where what was last seen
// and what is there now both differ from that: what was seen may be old, as after
// a write of our own.
func (p *Provisioner) settle(ctx context.Context, j *job, obj client.Object) error {
	kind, name := obj.GetObjectKind().GroupVersionKind().Kind, obj.GetName()
	want, err := wish(obj)
	if err != nil {
		return err
	}
	if seen := j.seen[kind][name]; seen != nil && j.owns(seen) {
		if fields, err := toContent(seen); err == nil && fits(want, &unstructured.Unstructured{Object: fields}) {
			return nil
		}
	}
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(want.GroupVersionKind())
	err = p.opts.Client.Get(ctx, client.ObjectKeyFromObject(obj), live)
	switch {
	case apierrors.IsNotFound(err):
		return p.refused(want, p.create(ctx, want))
	case err != nil:
		return p.refused(want, err)
	case !j.owns(live) && madeFor(j.in.Owner, live):
		return fmt.Errorf("%s was made for a %s of that name that has gone: %w", describe(kind, live.GetNamespace(), name), j.in.Owner.Kind, errLeaving)
	case !j.owns(live):
		return &refusal{err: errTaken, lack: &dataplanes.Lack{Reason: "Invalid", Message: fmt.Sprintf(
			"%s exists and was not made for this %s; remove it, or rename the %s",
			describe(kind, live.GetNamespace(), name), j.in.Owner.Kind, j.in.Owner.Kind)}}
	case live.GetDeletionTimestamp() != nil:
		return fmt.Errorf("%s is being deleted: %w", describe(kind, live.GetNamespace(), name), errLeaving)
	case fits(want, live):
		return nil
	}
	return p.refused(want, p.correct(ctx, j, change{want, live}))
}

var (
	errTaken   = errors.New("the name is taken")
	errLeaving = errors.New("it will be made anew once it is gone")
	errLater   = errors.New("it was corrected a moment ago")
)

// owns reports whether an object was made for the owner, as it is today. A hand
// may have taken one of the labels away, and gets it back.
func (j *job) owns(obj metav1.Object) bool {
	by := metav1.GetControllerOf(obj)
	if by == nil || by.UID != j.in.UID {
		return false
	}
	labels := obj.GetLabels()
	return labels[labelManagedBy] == managedBy || labels[labelUnit] == unitHash(j.in.Owner)
}

// fits reports whether an object is as it is to be.
func fits(want, live *unstructured.Unstructured) bool {
	return len(gaps(want.Object, live.Object, nil)) == 0 && len(foreign(want.GetKind(), live.GetManagedFields())) == 0
}

// create makes an object that is not there. It takes nothing from another field
// owner, should somebody have made one of the name meanwhile.
func (p *Provisioner) create(ctx context.Context, want *unstructured.Unstructured) error {
	err := p.opts.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(want.DeepCopy()), client.FieldOwner(fieldOwner))
	if err == nil {
		p.opts.Log.Info("created", "object", describe(want.GetKind(), want.GetNamespace(), want.GetName()))
	}
	return err
}

// change is an object as it is to be, and as it is.
type change struct{ want, live *unstructured.Unstructured }

// correct changes an object. What differs though it was made from the very same
// is another's doing; whoever does it again and again is answered once a second,
// and not as fast as both can write.
func (p *Provisioner) correct(ctx context.Context, j *job, c change) error {
	if drifted := c.live.GetAnnotations()[annotationMade] == c.want.GetAnnotations()[annotationMade]; drifted {
		if !p.mayCorrect(j.unit) {
			return errLater
		}
		p.opts.Log.Info("putting right what was changed", "object", describe(c.want.GetKind(), c.want.GetNamespace(), c.want.GetName()),
			"fields", slices.Concat(gaps(c.want.Object, c.live.Object, nil), foreign(c.want.GetKind(), c.live.GetManagedFields())))
	}
	asked := c.want.DeepCopy()
	asked.SetUID(c.live.GetUID())
	if err := p.opts.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(asked), client.FieldOwner(fieldOwner), client.ForceOwnership); err != nil {
		return err
	}
	return p.amend(ctx, change{c.want, asked})
}

// amend takes away what others have added: applying leaves that to them.
func (p *Provisioner) amend(ctx context.Context, c change) error {
	paths := slices.Concat(gaps(c.want.Object, c.live.Object, nil), foreign(c.want.GetKind(), c.live.GetManagedFields()))
	if len(paths) == 0 {
		return nil
	}
	patch := amendment(c.want.Object, paths)
	if err := unstructured.SetNestedField(patch, string(c.live.GetUID()), "metadata", "uid"); err != nil {
		return err
	}
	text, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	return p.opts.Client.Patch(ctx, c.live, client.RawPatch(types.MergePatchType, text), client.FieldOwner(fieldOwner))
}

// betweenCorrections is the least time between two of one unit.
const betweenCorrections = time.Second

func (p *Provisioner) mayCorrect(u *unit) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(u.corrected) < betweenCorrections {
		return false
	}
	u.corrected = time.Now()
	return true
}

// refused says what an error of the API server means for the owner. What an
// object's author can do nothing about is tried again, and told where that does not
// help.
func (p *Provisioner) refused(want *unstructured.Unstructured, err error) error {
	if err == nil || errors.Is(err, errLater) {
		return err
	}
	var reason string
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		reason = "Pending"
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err):
		reason = "Invalid"
	case apierrors.IsForbidden(err):
		reason = "NoResources"
	default:
		return fmt.Errorf("%s: %w", describe(want.GetKind(), want.GetNamespace(), want.GetName()), err)
	}
	return &refusal{err: err, lack: &dataplanes.Lack{Reason: reason, Message: fmt.Sprintf(
		"The API server refuses %s, and what is there stays as it is: %v", describe(want.GetKind(), want.GetNamespace(), want.GetName()), err)}}
}

// take removes an object that was made here, and no other of its name.
func (p *Provisioner) take(ctx context.Context, kind string, obj client.Object) error {
	if obj.GetDeletionTimestamp() != nil {
		return nil
	}
	uid := obj.GetUID()
	err := p.opts.Client.Delete(ctx, obj, client.Preconditions{UID: &uid}, client.PropagationPolicy(metav1.DeletePropagationBackground))
	if err == nil {
		p.opts.Log.Info("removed", "object", describe(kind, obj.GetNamespace(), obj.GetName()))
	}
	return client.IgnoreNotFound(err)
}

// madeFor reports whether an object belongs to an owner of that name, whichever
// its UID was.
func madeFor(owner ir.Object, obj metav1.Object) bool {
	by := metav1.GetControllerOf(obj)
	return by != nil && by.Kind == owner.Kind && by.Name == owner.Name && obj.GetNamespace() == owner.Namespace &&
		obj.GetLabels()[labelUnit] == unitHash(owner)
}
