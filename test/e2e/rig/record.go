package rig

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/tools/cache"
	crcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Record remembers what must not happen while it looks.
type Record struct {
	mu     sync.Mutex
	broken []string
	events int
}

// Rule looks at a change of an object. before is nil where the object is new, and
// after where it went. It returns what is wrong with that, or nothing.
type Rule[T client.Object] func(before, after T) string

// Watch begins to hold every change of the objects of a namespace, of T's kind,
// to a rule, until the test ends. All of them that are there have been seen when
// it returns.
func Watch[T client.Object](t testing.TB, r *Rig, ns string, kind T, rule Rule[T]) *Record {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(cancel)
	objects, err := crcache.New(r.Config, crcache.Options{
		Scheme: r.Client.Scheme(), Mapper: r.Client.RESTMapper(), DefaultNamespaces: map[string]crcache.Config{ns: {}},
	})
	if err != nil {
		t.Fatal(err)
	}
	record := &Record{}
	informer, err := objects.GetInformer(ctx, kind, crcache.BlockUntilSynced(false))
	if err != nil {
		t.Fatal(err)
	}
	registration, err := informer.AddEventHandler(handler(record, rule))
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = objects.Start(ctx) }()
	if !cache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
		t.Fatalf("the watch of %T never began", kind)
	}
	return record
}

func handler[T client.Object](record *Record, rule Rule[T]) cache.ResourceEventHandler {
	var none T
	look := func(before, after any) {
		b, _ := before.(T)
		a, _ := after.(T)
		record.note(rule(b, a))
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(after any) { look(none, after) },
		UpdateFunc: look,
		DeleteFunc: func(before any) {
			if unseen, ok := before.(cache.DeletedFinalStateUnknown); ok {
				before = unseen.Obj
			}
			look(before, none)
		},
	}
}

func (r *Record) note(broken string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events++
	if broken != "" {
		r.broken = append(r.broken, fmt.Sprintf("%s: %s", time.Now().Format(time.StampMilli), broken))
	}
}

// Broken is what was wrong so far.
func (r *Record) Broken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.broken...)
}

// Events is how many changes were seen.
func (r *Record) Events() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events
}
