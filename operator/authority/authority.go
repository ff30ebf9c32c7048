package authority

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-gateway/sluice/ir"
)

// dataKey is where the Secret holds everything, so that a change of it is one
// change.
const dataKey = "keys.json"

// errAbsent is while no leader has made the keys yet.
var errAbsent = errors.New("the operator's keys are not made yet")

// Options say where the keys live.
type Options struct {
	// Client reads and writes the Secret at the API server, without a cache: a
	// cache of Secrets would hold those of everybody.
	Client client.Client
	// Secret is its name.
	Secret types.NamespacedName
	// Host is the DNS name that pods verify the server by.
	Host string
	// Renewed is called whenever the keys are others than before. It must not
	// block.
	Renewed func()
	// Now is the time. Default: this machine's.
	Now func() time.Time
	Log logr.Logger
}

// Authority is what the Secret holds, as far as it is known. Its methods are safe
// for concurrent use.
type Authority struct {
	opts Options

	// known is closed once there are keys.
	known chan struct{}

	mu      sync.Mutex
	keys    *keys
	content string
	leaf    *tls.Certificate
}

// New returns an authority that knows no keys yet.
func New(opts Options) *Authority {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Authority{opts: opts, known: make(chan struct{})}
}

// Known is closed once there are keys.
func (a *Authority) Known() <-chan struct{} { return a.known }

// Bundle is what pods believe, PEM; empty while nothing is known.
func (a *Authority) Bundle() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.keys == nil {
		return nil
	}
	return a.keys.bundle()
}

// Certificate is the server's, as it is to be now.
func (a *Authority) Certificate() (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.keys == nil {
		return nil, errAbsent
	}
	now := a.opts.Now()
	if a.leaf == nil || now.After(a.leaf.Leaf.NotAfter.Add(-serverLife/2)) {
		leaf, err := a.keys.signs(now).server(a.opts.Host, now)
		if err != nil {
			return nil, err
		}
		a.leaf = leaf
	}
	return a.leaf, nil
}

// SessionKey is what the tokens of a unit's sticky sessions are made with; empty
// while nothing is known.
func (a *Authority) SessionKey(owner ir.Object) ir.Secret {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.keys == nil {
		return ""
	}
	key, err := a.keys.session(owner)
	if err != nil {
		return ""
	}
	return key
}

// Follow reads the keys again and again until the context ends: what another
// replica made is to be known here before this one leads.
func (a *Authority) Follow(ctx context.Context) error {
	return a.every(ctx, a.load)
}

// Lead makes the keys where there are none, and renews them in time, until the
// context ends.
func (a *Authority) Lead(ctx context.Context) error {
	return a.every(ctx, a.Renew)
}

const (
	checkEvery = time.Minute
	checkAgain = time.Second
)

func (a *Authority) every(ctx context.Context, step func(context.Context) error) error {
	for {
		wait := checkEvery
		if err := step(ctx); err != nil && ctx.Err() == nil {
			wait = checkAgain
			if !errors.Is(err, errAbsent) {
				a.opts.Log.Error(err, "the operator's keys", "secret", a.opts.Secret)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// load reads the Secret.
func (a *Authority) load(ctx context.Context) error {
	_, _, err := a.get(ctx)
	return err
}

// get reads the Secret and the keys in it.
func (a *Authority) get(ctx context.Context) (*corev1.Secret, *keys, error) {
	secret := &corev1.Secret{}
	if err := a.opts.Client.Get(ctx, a.opts.Secret, secret); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil, errAbsent
		}
		return nil, nil, err
	}
	k, err := read(secret.Data[dataKey])
	if err != nil {
		return nil, nil, fmt.Errorf("secret %s: %w; delete it to have new keys made: pods then reconnect once they have read the new authority", a.opts.Secret, err)
	}
	a.take(k, string(secret.Data[dataKey]))
	return secret, k, nil
}

func (a *Authority) take(k *keys, content string) {
	a.mu.Lock()
	renewed := content != a.content
	if renewed {
		if a.keys == nil {
			close(a.known)
		}
		a.keys, a.content, a.leaf = k, content, nil
	}
	a.mu.Unlock()
	if renewed && a.opts.Renewed != nil {
		a.opts.Renewed()
	}
}

// Renew brings the Secret to what it is to be now. Of two that do so at once, one
// meets a conflict and looks again.
func (a *Authority) Renew(ctx context.Context) error {
	secret, last, err := a.get(ctx)
	switch {
	case errors.Is(err, errAbsent):
		return a.make(ctx)
	case err != nil:
		return err
	}
	next, changed, err := last.renewed(a.opts.Now())
	if err != nil || !changed {
		return err
	}
	if secret.Data[dataKey], err = next.write(); err != nil {
		return err
	}
	if err := a.opts.Client.Update(ctx, secret); err != nil {
		return err
	}
	a.opts.Log.Info("made the next certificate authority", "secret", a.opts.Secret, "authorities", len(next.Authorities))
	a.take(next, string(secret.Data[dataKey]))
	return nil
}

// last are the keys that are known; none are without an authority.
func (a *Authority) last() *keys {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.keys == nil {
		return &keys{}
	}
	return a.keys
}

// make makes the Secret. One that was deleted comes back as it was, so that
// neither pods nor sticky sessions notice.
func (a *Authority) make(ctx context.Context) error {
	k, _, err := a.last().renewed(a.opts.Now())
	if err != nil {
		return err
	}
	content, err := k.write()
	if err != nil {
		return err
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: a.opts.Secret.Namespace, Name: a.opts.Secret.Name,
			Labels: map[string]string{"app.kubernetes.io/name": "sluice", "app.kubernetes.io/component": "operator"},
		},
		Data: map[string][]byte{dataKey: content},
	}
	if err := a.opts.Client.Create(ctx, secret); err != nil {
		if apierrors.IsAlreadyExists(err) {
			return a.load(ctx)
		}
		return err
	}
	a.opts.Log.Info("made the operator's keys", "secret", a.opts.Secret)
	a.take(k, string(content))
	return nil
}
