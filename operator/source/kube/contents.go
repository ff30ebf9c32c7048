package kube

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-gateway/sluice/operator/resources"
	"github.com/sluice-gateway/sluice/operator/source"
)

// readers is how many contents are read at once.
const readers = 8

// contents reads the objects that are wanted, and again when they change.
type contents struct {
	reader client.Reader
	log    logr.Logger
	queue  workqueue.TypedRateLimitingInterface[resources.Key]

	mu sync.Mutex
	// wanted are the objects of which the content is kept.
	wanted map[resources.Key]*content
}

// content is what is known of one object's content.
type content struct {
	// read is the resourceVersion that was read last, seen the one that the watch
	// has shown.
	read, seen string
	// missing is true where the API server gave no content when asked, though the
	// watch shows the object.
	missing bool
	// failed is true while reading does not work, and somebody was told.
	failed bool
	// denied is true where it was said to be absent, as it may not be read.
	denied bool
}

func newContents(reader client.Reader, log logr.Logger) *contents {
	return &contents{
		reader: reader, log: log, wanted: map[resources.Key]*content{},
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[resources.Key](firstRetry, lastRetry)),
	}
}

// want begins to keep the contents of objects.
func (c *contents) want(keys []resources.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range keys {
		if c.wanted[key] == nil {
			c.wanted[key] = &content{}
			c.queue.Add(key)
		}
	}
}

// stub notes a version that the watch has shown, and reports whether a stub is
// to stand for the object.
func (c *contents) stub(key resources.Key, version string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.wanted[key]
	if known == nil {
		return true
	}
	if known.missing {
		delete(c.wanted, key)
		return true
	}
	known.seen = version
	if known.read != version {
		c.queue.Add(key)
	}
	return false
}

// gone forgets an object.
func (c *contents) gone(key resources.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.wanted, key)
}

func (c *contents) run(ctx context.Context, emit func(source.Batch)) {
	var working sync.WaitGroup
	for range readers {
		working.Go(func() {
			for {
				key, ended := c.queue.Get()
				if ended {
					return
				}
				c.fetch(ctx, key, emit)
				c.queue.Done(key)
			}
		})
	}
	<-ctx.Done()
	c.queue.ShutDown()
	working.Wait()
}

// patience is how long one reading may take before it is tried again.
const patience = 10 * time.Second

// fetch reads one object and hands it on.
func (c *contents) fetch(ctx context.Context, key resources.Key, emit func(source.Batch)) {
	c.mu.Lock()
	known := c.wanted[key]
	c.mu.Unlock()
	if known == nil {
		c.queue.Forget(key)
		return
	}
	obj := kindOf(key.Kind).make()
	asking, cancel := context.WithTimeout(ctx, patience)
	err := c.reader.Get(asking, client.ObjectKey{Namespace: key.Namespace, Name: key.Name}, obj)
	cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wanted[key] != known || ctx.Err() != nil {
		// It has gone meanwhile, or is another one.
		return
	}
	switch {
	case err == nil:
		c.queue.Forget(key)
		c.settle(key, known, obj)
		emit(source.Batch{Events: []resources.Event{{Key: key, Object: withoutManagers(obj)}}})
	case apierrors.IsNotFound(err):
		c.queue.Forget(key)
		known.missing = true
		emit(source.Batch{Events: []resources.Event{{Key: key}}})
	default:
		c.fail(key, known, err)
		if apierrors.IsForbidden(err) && known.read == "" && !known.denied {
			// One namespace whose Secrets may not be read must not hold up everything
			// that a Gateway serves from others.
			known.denied = true
			emit(source.Batch{Events: []resources.Event{{Key: key}}})
		}
	}
}

func (c *contents) settle(key resources.Key, known *content, obj client.Object) {
	if known.failed {
		c.log.Info("an object can be read again", "object", key.String())
	}
	known.read, known.failed, known.denied = obj.GetResourceVersion(), false, false
}

func (c *contents) fail(key resources.Key, known *content, err error) {
	c.queue.AddRateLimited(key)
	if !known.failed {
		known.failed = true
		c.log.Error(err, "an object that is referred to cannot be read; trying again until it can", "object", key.String())
	}
}

func withoutManagers(obj client.Object) client.Object {
	obj.SetManagedFields(nil)
	return obj
}

func kindOf(name resources.Kind) *kind {
	for i := range kinds {
		if kinds[i].name == name {
			return &kinds[i]
		}
	}
	return nil
}
