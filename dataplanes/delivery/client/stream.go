package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-gateway/sluice/dataplanes/delivery/wire"
	"github.com/sluice-gateway/sluice/ir"
)

// stream is one stream to the operator.
type stream struct {
	*client
	grpc grpc.ClientStream
	// quiet ends the stream when nothing has come for too long.
	quiet *time.Timer
	// seq is the last push that was read, bases those sets that the next one may
	// be an edit of.
	seq    uint64
	base   *set
	holds  uint64
	staged staged
}

var errSilent = status.Error(codes.Unavailable, "nothing has come from the operator for too long")

// talk serves a stream until it ends. Met is true once the operator has said
// that it leads.
func (c *client) talk(ctx, linked context.Context, conn *grpc.ClientConn) (met bool, err error) {
	linked, cut := context.WithCancelCause(linked)
	// A reporter that is left behind would take what the next stream's waits for.
	var reporting sync.WaitGroup
	defer reporting.Wait()
	defer cut(nil)
	st := &stream{client: c, quiet: time.AfterFunc(c.times.Welcome, func() { cut(errSilent) })}
	defer st.quiet.Stop()
	defer func() {
		if errors.Is(context.Cause(linked), errSilent) {
			err = errSilent
		}
	}()
	desc := &grpc.StreamDesc{StreamName: wire.Stream, ServerStreams: true, ClientStreams: true}
	if st.grpc, err = conn.NewStream(linked, desc, wire.Method); err != nil {
		return false, err
	}
	if err := st.meet(); err != nil {
		return false, err
	}
	c.counts.connected.Set(1)
	defer c.counts.connected.Set(0)
	reporting.Go(func() { st.report(linked, func() { cut(nil) }) })
	err = st.listen(ctx)
	c.counts.failures.WithLabelValues("lost").Inc()
	return true, err
}

// meet says what this pod is and has, and waits for the welcome.
func (st *stream) meet() error {
	st.mu.Lock()
	st.link++
	st.state.Answered, st.state.Holds, st.state.Active, st.state.Objections = 0, 0, 0, nil
	st.base = st.held
	hello := &wire.Hello{
		Unit: st.opts.Unit, Pod: st.opts.Pod, Program: st.opts.Program, Term: st.term,
		Holds: st.base.manifest, Key: wire.KeySum(st.base.key),
	}
	st.mu.Unlock()
	hello.State = st.now()
	for _, f := range st.opts.Features.Sorted() {
		hello.Features = append(hello.Features, string(f))
	}
	// With io.EOF the reason comes with what is read.
	if err := st.send(hello); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	message, err := st.read()
	if err != nil {
		return err
	}
	welcome, ok := message.(*wire.Welcome)
	if !ok {
		return status.Errorf(codes.FailedPrecondition, "the operator begins with a %T", message)
	}
	return st.welcomed(welcome)
}

// welcomed listens to no leader before the last one, unless no newer one was to
// be found for a while: then that one is gone, and the terms began anew.
func (st *stream) welcomed(w *wire.Welcome) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	switch {
	case w.Term >= st.term:
		st.older = time.Time{}
	case st.older.IsZero():
		st.older = time.Now()
		fallthrough
	case time.Since(st.older) < st.times.OlderTerm:
		return status.Errorf(codes.Unavailable, "the operator is of term %d, and one of term %d has led this pod", w.Term, st.term)
	default:
		st.opts.Log.Info("A leader of an older term is listened to: no other was found", "term", w.Term, "last", st.term)
		st.older = time.Time{}
	}
	st.term = w.Term
	if w.Zone != "" || w.Node != "" {
		st.place = place{w.Zone, w.Node}
	}
	st.opts.Log.Info("The operator leads this pod", "term", w.Term, "operator", w.Program, "version", st.base.manifest.Version)
	return nil
}

func (st *stream) send(message any) error {
	data, err := wire.Encode(message)
	if err != nil {
		return err
	}
	frame := wire.Frame(data)
	return st.grpc.SendMsg(&frame)
}

func (st *stream) read() (any, error) {
	var frame wire.Frame
	if err := st.grpc.RecvMsg(&frame); err != nil {
		return nil, err
	}
	st.quiet.Reset(st.times.Silence)
	st.counts.bytes.Add(float64(len(frame)))
	return decode(frame), nil
}

// decode returns a frame's message, or unread.
func decode(frame wire.Frame) any {
	message, err := wire.Decode(frame)
	if err != nil {
		return unread{err, wire.IsPush(frame)}
	}
	return message
}

// unread is a message that cannot be read: an objection, and no end of the
// stream, which would be opened again for the same message.
type unread struct {
	why  error
	push bool
}

// report sends the state whenever it changes.
func (st *stream) report(ctx context.Context, cut func()) {
	draining := st.opts.Draining
	for {
		select {
		case <-ctx.Done():
			return
		case <-draining:
			draining = nil
		case <-st.changed:
		}
		state := st.now()
		if st.send(&state) != nil {
			cut()
			return
		}
	}
}

// listen takes what the operator sends.
func (st *stream) listen(ctx context.Context) error {
	for {
		message, err := st.read()
		if err != nil {
			return err
		}
		switch m := message.(type) {
		case *wire.Beat:
		case *wire.Notice:
			st.opts.Log.Info("The operator says", "text", m.Text)
		case *wire.Parts:
			st.staged.add(m.Parts, st.opts.Unit)
		case *wire.Push:
			st.take(ctx, m)
		case unread:
			st.staged.object(ir.Origin{Object: st.opts.Unit}, m.why)
			if m.push {
				st.refuse(st.seq + 1)
			}
		default:
			return fmt.Errorf("%T is nothing that an operator sends now", m)
		}
	}
}

// take puts a pushed set in the place of the last one, or objects to it.
func (st *stream) take(ctx context.Context, push *wire.Push) {
	if push.Base != st.holds {
		st.staged.object(ir.Origin{Object: st.opts.Unit}, fmt.Errorf("a set is an edit of push %d, and this pod holds %d", push.Base, st.holds))
	}
	if len(st.staged.wrong) > 0 {
		st.refuse(push.Seq)
		return
	}
	next, err := st.base.next(push, st.staged.parts)
	if err == nil && next.unit.Proxy.Owner != st.opts.Unit {
		err = errOwner
	}
	if err != nil {
		st.staged.object(ir.Origin{Object: st.opts.Unit}, err)
		st.refuse(push.Seq)
		return
	}
	st.staged = staged{}
	st.seq, st.holds, st.base = push.Seq, push.Seq, next
	st.mu.Lock()
	st.state.Answered, st.state.Holds, st.state.Objections = push.Seq, push.Seq, nil
	st.mu.Unlock()
	st.counts.sets.WithLabelValues("taken").Inc()
	st.apply(ctx, next, push.Seq)
	signal(st.changed)
}

// refuse answers a push that changes nothing.
func (st *stream) refuse(seq uint64) {
	wrong := slices.Clone(st.staged.wrong)
	st.staged, st.seq = staged{}, seq
	st.mu.Lock()
	st.state.Answered, st.state.Objections = seq, wrong
	st.mu.Unlock()
	st.counts.sets.WithLabelValues("refused").Inc()
	for _, p := range wrong {
		st.opts.Log.Info("A set of the operator is refused; the last one stays in force", "object", p.Origin, "why", p.Message)
	}
	signal(st.changed)
}
