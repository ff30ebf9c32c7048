package kube

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
)

// CacheSettings say what a cache is for.
type CacheSettings struct {
	// Scheme has the types of AddToScheme.
	Scheme *runtime.Scheme
	// Namespaces are those that are watched; none is all of them. GatewayClasses,
	// Namespaces and CRDs are watched cluster-wide in any case.
	Namespaces []string
	// Manager is the field manager whose entries stay in managedFields, without
	// the fields; all others are dropped to save memory.
	Manager string
	Log     logr.Logger
}

// CacheOptions are those of a cache that a Source can read from.
func CacheOptions(s CacheSettings) cache.Options {
	complaints := &complaints{log: s.Log, told: map[string]time.Time{}}
	opts := cache.Options{
		Scheme:                   s.Scheme,
		DefaultTransform:         stripManagers(s.Manager),
		DefaultWatchErrorHandler: complaints.hear,
	}
	for _, namespace := range s.Namespaces {
		if opts.DefaultNamespaces == nil {
			opts.DefaultNamespaces = map[string]cache.Config{}
		}
		opts.DefaultNamespaces[namespace] = cache.Config{}
	}
	return opts
}

// stripManagers drops what an object's fields were set by, but for the note that
// one manager has set any. Of metadata that is watched alone it keeps which object
// it is: an annotation of kubectl's has a copy of the Secret or ConfigMap.
func stripManagers(manager string) toolscache.TransformFunc {
	return func(in any) (any, error) {
		obj, ok := in.(metav1.Object)
		if !ok {
			return in, nil
		}
		if alone, ok := in.(*metav1.PartialObjectMetadata); ok {
			alone.ObjectMeta = metav1.ObjectMeta{
				Namespace: alone.Namespace, Name: alone.Name, UID: alone.UID, ResourceVersion: alone.ResourceVersion,
			}
			return in, nil
		}
		var kept []metav1.ManagedFieldsEntry
		for _, entry := range obj.GetManagedFields() {
			if entry.Manager == manager {
				entry.FieldsV1 = nil
				kept = append(kept, entry)
			}
		}
		obj.SetManagedFields(kept)
		return in, nil
	}
}

// complaints tells of watches that break, each not more often than once in a
// while: the watch itself is tried again, slower and slower.
type complaints struct {
	log logr.Logger

	mu   sync.Mutex
	told map[string]time.Time
}

// quiet is how long the same complaint is not repeated.
const quiet = 5 * time.Minute

func (c *complaints) hear(_ context.Context, r *toolscache.Reflector, err error) {
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || errors.Is(err, io.EOF) {
		// The watch was away for long and lists anew, or has ended as watches do.
		return
	}
	what := r.TypeDescription() + "\x00" + string(apierrors.ReasonForError(err))
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.told[what]) < quiet {
		return
	}
	c.told[what] = time.Now()
	c.log.Error(err, "a watch broke; trying again until it works", "kind", r.TypeDescription())
}
