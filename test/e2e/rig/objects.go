package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fieldOwner is who applies the tests' objects.
const fieldOwner = client.FieldOwner("sluice-e2e")

// Patience is how long a test waits for what must come. It is long, because a
// machine may be slow; what takes seconds is measured elsewhere.
const Patience = 2 * time.Minute

var namespaces atomic.Int32

// Namespace makes a namespace under the restricted Pod Security standard, and
// removes it when the test ends.
func (r *Rig) Namespace(t testing.TB) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   fmt.Sprintf("e2e-%d-%d", os.Getpid(), namespaces.Add(1)),
		Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	if err := r.Client.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			r.Collect(t)
		}
		if err := r.Client.Delete(context.Background(), ns); err != nil {
			t.Error(err)
		}
	})
	return ns.Name
}

// Apply applies the objects of a YAML text by server-side apply. What names no
// namespace goes into ns; $NS in the text is ns.
func (r *Rig) Apply(t testing.TB, ns, text string) {
	t.Helper()
	for _, object := range Parse(t, strings.ReplaceAll(text, "$NS", ns)) {
		if object.GetNamespace() == "" && object.GetKind() != "GatewayClass" {
			object.SetNamespace(ns)
		}
		r.applyObject(t, object)
	}
}

func (r *Rig) applyObject(t testing.TB, object *unstructured.Unstructured) {
	t.Helper()
	err := r.Client.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object), fieldOwner, client.ForceOwnership)
	if err != nil {
		t.Fatalf("apply %s %s/%s: %v", object.GetKind(), object.GetNamespace(), object.GetName(), err)
	}
}

// Parse reads a YAML text of several objects.
func Parse(t testing.TB, text string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	for decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096); ; {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatalf("a manifest of this test: %v", err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

// Get reads an object, or ends the test.
func Get[T client.Object](t testing.TB, r *Rig, key client.ObjectKey, into T) T {
	t.Helper()
	if err := r.Client.Get(t.Context(), key, into); err != nil {
		t.Fatal(err)
	}
	return into
}

// Eventually asks again until holds returns nil, and ends the test with the last
// error when it does not.
func Eventually(t testing.TB, what string, holds func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		err := holds(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s: %v", what, err)
		case <-again.C:
		}
	}
}

// Gone is nil once an object is not there any more.
func (r *Rig) Gone(ctx context.Context, object client.Object) error {
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(object), object)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err == nil:
		return fmt.Errorf("%T %s is still there", object, client.ObjectKeyFromObject(object))
	}
	return err
}
