package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-gateway/sluice/dataplanes/delivery/wire"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/feature"
)

// stream is one pod's. Its fields from base on belong to the goroutine of run.
type stream struct {
	server *Server
	grpc   grpc.ServerStream
	peer   Peer
	pod    Pod
	owner  ir.Object
	place  Admission
	// wake says that there may be another set; replaced is closed by a newer
	// stream of the same pod.
	wake     chan struct{}
	replaced chan struct{}
	received chan received
	sent     chan error

	features feature.Set
	// base is what the pod holds, under the push that it has not answered, and
	// refused the set that it would not take.
	base    holding
	under   *underWay
	refused *snapshot
	sending bool
	seq     uint64
	state   wire.State
	unable  string
	told    *Report
	// awaited are sets that were sent and are not known to serve.
	awaited []awaited
}

// underWay is a push that was begun.
type underWay struct {
	holding
	set   *snapshot
	bound *time.Timer
}

type awaited struct {
	seq uint64
	at  time.Time
}

// received is a message of the pod, or why there are no more.
type received struct {
	message any
	err     error
}

func newStream(s *Server, g grpc.ServerStream, who Peer, place Admission) *stream {
	st := &stream{
		server: s, grpc: g, peer: who, owner: place.Owner, place: place,
		pod:  Pod{Namespace: who.Namespace, Name: who.Pod, UID: who.PodUID},
		wake: make(chan struct{}, 1), replaced: make(chan struct{}), received: make(chan received), sent: make(chan error, 1),
	}
	go st.receive(g.Context())
	return st
}

var errState = fmt.Errorf("a state is over the bound of %d bytes", wire.MaxState)

// receive reads until the stream ends, which it does when its handler returns.
func (st *stream) receive(ctx context.Context) {
	for bound := wire.MaxFrame; ; bound = wire.MaxState {
		var frame wire.Frame
		in := received{err: st.grpc.RecvMsg(&frame)}
		switch {
		case in.err == nil && len(frame) > bound:
			in.err = errState
		case in.err == nil:
			in.message, in.err = wire.Decode(frame)
		}
		select {
		case st.received <- in:
		case <-ctx.Done():
			return
		}
		if in.err != nil {
			return
		}
	}
}

func (st *stream) wakeUp() {
	select {
	case st.wake <- struct{}{}:
	default:
	}
}

// begin makes the stream the pod's and says so to both sides.
func (st *stream) begin(hello *wire.Hello, term uint64) error {
	if hello.Term > term {
		// Whoever has led the pod since does, or will answer soon.
		st.server.opts.Log.Info("A pod has heard of a newer leader", "pod", st.pod, "term", term, "newer", hello.Term)
	}
	st.features, st.state = featuresOf(hello.Features), hello.State
	st.base = holding{manifest: hello.Holds, total: hello.Holds.Total(), key: hello.Key}
	if _, err := st.send(&wire.Welcome{Term: term, Zone: st.place.Zone, Node: st.place.Node, Program: st.server.opts.Program}); err != nil {
		return err
	}
	s := st.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := s.pods[st.pod.UID]; last != nil {
		close(last.replaced)
	} else {
		s.counts.connected.Inc()
	}
	s.pods[st.pod.UID] = st
	st.tell(true)
	return nil
}

// leave is the end of a stream. Where a newer one has taken its place, there is
// nothing to tell.
func (st *stream) leave() {
	s := st.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pods[st.pod.UID] == st {
		delete(s.pods, st.pod.UID)
		s.counts.connected.Dec()
		st.tell(false)
	}
}

// run serves the stream until it ends.
func (st *stream) run() error {
	defer st.leave()
	defer st.settle()
	beat, admit := time.NewTicker(st.server.times.Beat), time.NewTicker(st.server.times.AdmitAgain)
	defer beat.Stop()
	defer admit.Stop()
	for {
		st.next()
		select {
		case <-st.grpc.Context().Done():
			return status.FromContextError(st.grpc.Context().Err()).Err()
		case <-st.replaced:
			return status.Error(codes.Aborted, "a newer stream of this pod has taken its place")
		case <-st.wake:
		case in := <-st.received:
			if errors.Is(in.err, io.EOF) {
				return nil
			}
			if err := st.take(in); err != nil {
				return err
			}
		case err := <-st.sent:
			if err := st.hasSent(err); err != nil {
				return err
			}
		case <-beat.C:
			st.start(func() error {
				_, err := st.send(&wire.Beat{})
				return err
			})
		case <-st.late():
			return status.Errorf(codes.DeadlineExceeded, "the pod has not answered a push for %v", st.server.times.Answer)
		case <-admit.C:
			if err := st.admitAgain(); err != nil {
				return err
			}
		}
	}
}

// hasSent ends the stream where sending failed. A set that no message can hold is
// no fault of the stream: the pod is told, and the next set is tried.
func (st *stream) hasSent(err error) error {
	st.sending = false
	var large *wire.TooLargeError
	if !errors.As(err, &large) {
		return err
	}
	if st.under != nil {
		st.settle()
		st.refused, st.under = st.under.set, nil
	}
	st.able("the set cannot be sent: " + err.Error())
	return nil
}

// late fires where the push under way has taken too long.
func (st *stream) late() <-chan time.Time {
	if st.under == nil {
		return nil
	}
	return st.under.bound.C
}

func (st *stream) settle() {
	if st.under != nil {
		st.under.bound.Stop()
	}
}

func (st *stream) admitAgain() error {
	ctx, cancel := context.WithTimeout(st.grpc.Context(), st.server.times.Hello)
	defer cancel()
	place, err := st.server.opts.Admit(ctx, st.peer)
	switch {
	case err != nil && !errors.Is(err, ErrRefused):
		// Nobody knows better than when the pod was admitted.
		return nil
	case err != nil:
		st.server.counts.refused.WithLabelValues(refusedPod).Inc()
		st.server.opts.Log.Info("A pod is no longer admitted", "pod", st.pod, "why", err.Error())
		return status.Error(codes.PermissionDenied, err.Error())
	case place.Owner != st.owner:
		return status.Error(codes.PermissionDenied, "the pod belongs to another unit now")
	}
	return nil
}

// start sends in the background, unless something is being sent: a pod that
// takes nothing must not hold up what else there is to do for it.
func (st *stream) start(work func() error) {
	if st.sending {
		return
	}
	st.sending = true
	go func() { st.sent <- work() }()
}

// send writes one message and returns its bytes. One goroutine sends at a time.
func (st *stream) send(message any) (int, error) {
	data, err := wire.Encode(message)
	if err != nil {
		return 0, err
	}
	frame := wire.Frame(data)
	if err := st.grpc.SendMsg(&frame); err != nil {
		return 0, err
	}
	st.server.counts.bytes.Add(float64(len(data)))
	return len(data), nil
}

// next begins a push where the pod does not hold the set of now and nothing is
// under way.
func (st *stream) next() {
	if st.sending || st.under != nil {
		return
	}
	set := st.server.current(st.owner)
	switch {
	case set == nil || set == st.refused:
		return
	case st.base.same(set):
		st.state.Objections, st.refused = nil, nil
		st.able("")
		return
	}
	if missing := st.features.Missing(set.needs); len(missing) > 0 {
		st.able(fmt.Sprintf("the pod's proxy lacks %v, which the routes ask for: its image is older than the operator", missing))
		return
	}
	st.able("")
	st.push(set)
}

func (st *stream) push(set *snapshot) {
	st.seq++
	st.refused = nil
	seq, base := st.seq, st.base
	st.under = &underWay{
		holding: holding{seq: seq, manifest: set.manifest, total: set.total, key: set.keySum},
		set:     set, bound: time.NewTimer(st.server.times.Answer),
	}
	st.await(seq, set.at)
	st.server.counts.pushes.Inc()
	st.start(func() error { return push(st.send, set, &base, seq) })
}

// able notes why the pod cannot run what it is to run, and tells both sides what
// is new.
func (st *stream) able(unable string) {
	unable = wire.Brief(unable)
	if st.unable != unable {
		st.unable = unable
		if unable != "" {
			st.server.opts.Log.Info("A pod cannot run its unit", "pod", st.pod, "why", unable)
			st.start(func() error {
				_, err := st.send(&wire.Notice{Text: unable})
				return err
			})
		}
	}
	st.tellNow()
}

// take reads what the pod says.
func (st *stream) take(in received) error {
	if in.err != nil {
		// gRPC's own errors say that the pod has gone; another is about what it sent.
		if _, gone := status.FromError(in.err); gone {
			return in.err
		}
		st.able("the operator cannot read what the pod says: " + in.err.Error())
		return status.Error(codes.InvalidArgument, wire.Brief(in.err.Error()))
	}
	state, ok := in.message.(*wire.State)
	if !ok {
		return status.Errorf(codes.InvalidArgument, "%T is nothing that a pod sends now", in.message)
	}
	if err := state.Check(); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	st.state = *state
	st.answer(state)
	st.observe(state.Active)
	st.tellNow()
	return nil
}

// answer ends the push under way where the pod has answered it.
func (st *stream) answer(state *wire.State) {
	if st.under == nil || state.Answered < st.under.seq {
		return
	}
	st.settle()
	if state.Holds == st.under.seq {
		st.base, st.refused = st.under.holding, nil
	} else {
		st.refused = st.under.set
		st.server.opts.Log.Info("A pod objects to a set", "pod", st.pod, "version", st.under.set.manifest.Version, "problems", len(state.Objections))
	}
	st.under = nil
}

// await notes that a set was sent.
func (st *stream) await(seq uint64, at time.Time) {
	const most = 16
	if len(st.awaited) < most {
		st.awaited = append(st.awaited, awaited{seq, at})
	}
}

// observe counts the sets that serve now, or were overtaken by one that does.
func (st *stream) observe(active uint64) {
	for len(st.awaited) > 0 && st.awaited[0].seq <= active {
		st.server.counts.outcome.Observe(time.Since(st.awaited[0].at).Seconds())
		st.awaited = st.awaited[1:]
	}
}

func (st *stream) tellNow() {
	st.server.mu.Lock()
	defer st.server.mu.Unlock()
	if st.server.pods[st.pod.UID] == st {
		st.tell(true)
	}
}

// tell reports what is new about the pod. The server's lock is held.
func (st *stream) tell(connected bool) {
	r := Report{
		Owner: st.owner, Pod: st.pod, Connected: connected, Version: st.state.Version, Unable: st.unable, Draining: st.state.Draining,
		Refused:  st.refused != nil,
		Problems: append(append([]ir.Problem(nil), st.state.Problems...), st.state.Objections...),
	}
	if st.told != nil && reflect.DeepEqual(*st.told, r) {
		return
	}
	st.told = &r
	st.server.opts.Report(r)
}

// tellUnable reports a pod that cannot be talked to.
func (st *stream) tellUnable(text string) {
	st.unable = wire.Brief(text)
	st.server.mu.Lock()
	defer st.server.mu.Unlock()
	if st.server.pods[st.pod.UID] == nil {
		st.tell(false)
	}
}
