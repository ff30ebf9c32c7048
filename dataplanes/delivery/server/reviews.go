package server

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

// reviewFor is how long the answer about a token counts. A new leader is asked by
// all pods at once, and a pod whose streams break asks again and again: each of
// these must not be a request to the API server. It is short, because the token
// of a pod that has gone is good for as long; what Admit says is never kept.
const reviewFor = 10 * time.Second

const (
	// maxReviews bounds what is kept, and atOnce the questions under way: whoever
	// has no token must not be able to keep the API server busy.
	maxReviews = 4096
	atOnce     = 16
)

// reviews asks whose a token is, and keeps good answers for a short time.
type reviews struct {
	ask   func(context.Context, string) (Peer, error)
	slots chan struct{}

	mu    sync.Mutex
	known map[[sha256.Size]byte]review
}

type review struct {
	peer  Peer
	until time.Time
}

func newReviews(ask func(context.Context, string) (Peer, error)) *reviews {
	return &reviews{ask: ask, slots: make(chan struct{}, atOnce), known: map[[sha256.Size]byte]review{}}
}

// of returns whose a token is. The token itself is not kept.
func (r *reviews) of(ctx context.Context, token string) (Peer, error) {
	key := sha256.Sum256([]byte(token))
	if peer, ok := r.kept(key); ok {
		return peer, nil
	}
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return Peer{}, ctx.Err()
	}
	peer, err := r.ask(ctx, token)
	if err == nil {
		r.keep(key, peer)
	}
	return peer, err
}

func (r *reviews) kept(key [sha256.Size]byte) (Peer, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one, ok := r.known[key]
	return one.peer, ok && time.Now().Before(one.until)
}

func (r *reviews) keep(key [sha256.Size]byte, peer Peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if len(r.known) >= maxReviews {
		for k, one := range r.known {
			if now.After(one.until) {
				delete(r.known, k)
			}
		}
	}
	if len(r.known) < maxReviews {
		r.known[key] = review{peer, now.Add(reviewFor)}
	}
}
