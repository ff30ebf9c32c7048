package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/sluice-gateway/sluice/dataplanes/delivery/wire"
	"github.com/sluice-gateway/sluice/ir/feature"
)

// Why a stream is refused. They are few and fixed: labels of a metric.
const (
	refusedLeader  = "not_leading"
	refusedReview  = "review"
	refusedToken   = "token"
	refusedPod     = "pod"
	refusedUnit    = "unit"
	refusedHello   = "hello"
	refusedVersion = "version"
)

// refusal is why a stream ends before it has begun.
type refusal struct {
	reason string
	code   codes.Code
	text   string
}

func (r *refusal) status() error { return status.Error(r.code, r.text) }

// admit finds out whose stream it is, before anything that it says is read.
func (s *Server) admit(ctx context.Context) (Peer, Admission, *refusal) {
	token := bearer(ctx)
	if token == "" {
		return Peer{}, Admission{}, &refusal{refusedToken, codes.Unauthenticated, "there is no token: want \"authorization: Bearer\" with one for " + wire.Audience}
	}
	ctx, cancel := context.WithTimeout(ctx, s.times.Hello)
	defer cancel()
	who, err := s.reviews.of(ctx, token)
	switch {
	case errors.Is(err, ErrRefused):
		return Peer{}, Admission{}, &refusal{refusedToken, codes.Unauthenticated, err.Error()}
	case err != nil:
		return Peer{}, Admission{}, &refusal{refusedReview, codes.Unavailable, "the token could not be reviewed: " + err.Error()}
	case who.Pod == "" || who.PodUID == "":
		return Peer{}, Admission{}, &refusal{refusedToken, codes.Unauthenticated, "the token is bound to no pod"}
	}
	admission, err := s.opts.Admit(ctx, who)
	switch {
	case errors.Is(err, ErrRefused):
		return who, Admission{}, &refusal{refusedPod, codes.PermissionDenied, err.Error()}
	case err != nil:
		return who, Admission{}, &refusal{refusedPod, codes.Unavailable, err.Error()}
	}
	return who, admission, nil
}

func bearer(ctx context.Context) string {
	md, _ := metadata.FromIncomingContext(ctx)
	values := md.Get("authorization")
	if len(values) != 1 {
		return ""
	}
	token, ok := strings.CutPrefix(values[0], "Bearer ")
	if !ok {
		return ""
	}
	return token
}

// term is 0 while this operator does not lead.
func (s *Server) leading() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.term
}

// serve answers one stream from its beginning to its end.
func (s *Server) serve(g grpc.ServerStream) error {
	term := s.leading()
	if term == 0 {
		return s.refuse(g, &refusal{refusedLeader, codes.Unavailable, "this operator does not lead: try another address"})
	}
	who, admission, refused := s.admit(g.Context())
	if refused != nil {
		return s.refuse(g, refused)
	}
	st := newStream(s, g, who, admission)
	hello, refused := st.meet()
	if refused != nil {
		return s.refuse(g, refused)
	}
	if err := st.begin(hello, term); err != nil {
		return err
	}
	return st.run()
}

// meet waits for the hello and checks it.
func (st *stream) meet() (*wire.Hello, *refusal) {
	bound := time.NewTimer(st.server.times.Hello)
	defer bound.Stop()
	var first received
	select {
	case first = <-st.received:
	case <-bound.C:
		return nil, &refusal{refusedHello, codes.DeadlineExceeded, "no hello in time"}
	case <-st.grpc.Context().Done():
		return nil, &refusal{refusedHello, codes.Canceled, "the pod left before its hello"}
	}
	var version *wire.VersionError
	if errors.As(first.err, &version) {
		text := fmt.Sprintf("the pod speaks %v: its image and the operator's must be of neighbouring releases", version)
		st.tellUnable(text)
		return nil, &refusal{refusedVersion, codes.FailedPrecondition, text}
	}
	hello, ok := first.message.(*wire.Hello)
	switch {
	case first.err != nil:
		st.tellUnable("the operator cannot read what the pod says: " + first.err.Error())
		return nil, &refusal{refusedHello, codes.InvalidArgument, "the hello cannot be read: " + first.err.Error()}
	case !ok:
		return nil, &refusal{refusedHello, codes.InvalidArgument, "the first message is no hello"}
	case hello.Unit != st.owner:
		return nil, &refusal{refusedUnit, codes.PermissionDenied, fmt.Sprintf("the pod wants %v, and was made for %v", hello.Unit, st.owner)}
	case hello.Pod != "" && hello.Pod != st.pod.Name:
		return nil, &refusal{refusedPod, codes.PermissionDenied, fmt.Sprintf("the pod says that it is %q, and its token that it is %q", hello.Pod, st.pod.Name)}
	}
	if err := errors.Join(hello.Holds.Check(), hello.State.Check()); err != nil {
		return nil, &refusal{refusedHello, codes.InvalidArgument, err.Error()}
	}
	return hello, nil
}

func (s *Server) refuse(g grpc.ServerStream, r *refusal) error {
	r.text = wire.Brief(r.text)
	s.counts.refused.WithLabelValues(r.reason).Inc()
	if r.reason != refusedLeader && s.saidNow(r.reason) {
		from := "unknown"
		if p, ok := peer.FromContext(g.Context()); ok {
			from = p.Addr.String()
		}
		s.opts.Log.Info("A pod is refused", "reason", r.reason, "why", r.text, "from", from)
	}
	return r.status()
}

// said bounds the log: whoever has no token can ask as often as it likes.
type said struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (s *Server) saidNow(reason string) bool {
	s.said.mu.Lock()
	defer s.said.mu.Unlock()
	now := time.Now()
	if now.Sub(s.said.last[reason]) < time.Second {
		return false
	}
	s.said.last[reason] = now
	return true
}

func featuresOf(names []string) feature.Set {
	set := feature.Set{}
	for _, n := range names {
		set[feature.Name(n)] = struct{}{}
	}
	return set
}
