package delivery_test

import (
	"context"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/delivery/client"
	"github.com/sluice-gateway/sluice/dataplanes/delivery/wire"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/hash"
)

// begun is a pod that runs "one" at a port, told by hand.
type begun struct {
	o      *handOperator
	stream *handStream
	port   uint16
	push   *wire.Push
	unit   *ir.Unit
}

func begin(t *testing.T, change func(*client.Options)) *begun {
	t.Helper()
	c := newCluster(t)
	b := &begun{o: c.startByHand(t, "127.0.0.1:0"), port: freePort(t)}
	c.runPod(t, "a", change, b.o.addr)
	b.stream = b.o.next(t)
	b.stream.say(&wire.Welcome{Term: 5})
	b.unit = unit(b.port, answering(t, "one"))
	var parts *wire.Parts
	parts, b.push = whole(b.unit, "v1", 1)
	b.stream.say(parts)
	b.stream.say(b.push)
	b.stream.serves(t, "v1", 1)
	return b
}

// serves waits until the pod says that a version serves, by a push.
func (s *handStream) serves(t *testing.T, version string, seq uint64) *wire.State {
	t.Helper()
	for {
		state := heard[wire.State](s.peer)
		if state.Version == version && state.Active == seq {
			return state
		}
	}
}

// answers waits until the pod answers a push.
func (s *handStream) answers(t *testing.T, seq uint64) *wire.State {
	t.Helper()
	for {
		state := heard[wire.State](s.peer)
		if state.Answered == seq {
			return state
		}
	}
}

// TestTornPush: parts without their end change nothing, and the next stream
// begins with what serves.
func TestTornPush(t *testing.T) {
	b := begin(t, nil)
	parts, _ := whole(unit(b.port, answering(t, "two")), "v2", 2)
	b.stream.say(parts)
	b.stream.end(status.Error(codes.Unavailable, "the leader dies"))
	again := b.o.next(t)
	if got := again.hello.State.Version; got != "v1" {
		t.Errorf("the pod comes back with version %q", got)
	}
	if got := again.hello.Holds.Total(); got != b.push.Total {
		t.Error("the pod does not say what it holds")
	}
	if got := get(b.port, "/0"); got != "one" {
		t.Errorf("the pod serves %q", got)
	}
	again.say(&wire.Welcome{Term: 5})
	_, push := whole(unit(b.port, answering(t, "two")), "v2", 1)
	again.say(onto(push, 0, b.push))
	if state := again.answers(t, 1); state.Holds != 0 || len(state.Objections) == 0 {
		t.Errorf("parts of the stream before count: %+v", state)
	}
}

// TestObjections: whatever is wrong with a push, the last good set serves on, the
// operator is told what and where, and the next push is taken.
func TestObjections(t *testing.T) {
	type newerRoute struct {
		Origin ir.Object
		Kind   ir.RouteKind
		Tunnel string
	}
	b := begin(t, nil)
	target := answering(t, "two")
	fresh := func(seq uint64) (*wire.Parts, *wire.Push) {
		parts, push := whole(unit(b.port, target), "v2", seq)
		return parts, onto(push, 1, b.push)
	}
	seq := uint64(1)
	for name, c := range map[string]struct {
		spoil  func(*wire.Parts, *wire.Push)
		says   string
		origin string
	}{
		"a field that the pod does not know": {func(parts *wire.Parts, push *wire.Push) {
			route := &newerRoute{Origin: ir.Object{Kind: "HTTPRoute", Namespace: "apps", Name: "new"}, Kind: ir.HTTPRoute, Tunnel: "x"}
			form := wire.WritePart(wire.Routes, hash.Sum{}, route)
			form.Sum = hash.OfForm(form.Form)
			parts.Parts = append(parts.Parts, form)
		}, `unknown field "Tunnel"`, "new"},
		"a part that is not what its sum names": {func(parts *wire.Parts, _ *wire.Push) { parts.Parts[2].Form[20]++ }, "not what its sum names", "edge"},
		"a part that was not sent":              {func(parts *wire.Parts, _ *wire.Push) { parts.Parts = parts.Parts[:2] }, "not sent", "edge"},
		"a set that is not what its sum names":  {func(_ *wire.Parts, push *wire.Push) { push.Total[0]++ }, "not what its sum names", "edge"},
		"an edit of another set":                {func(_ *wire.Parts, push *wire.Push) { push.Base = 77 }, "edit of push 77", "edge"},
		"an edit beyond a list":                 {func(_ *wire.Parts, push *wire.Push) { push.Edits[2].Splices[0].Remove = 99 }, "does not fit", "edge"},
		"a negative edit":                       {func(_ *wire.Parts, push *wire.Push) { push.Edits[2].Splices[0].At = -1 }, "does not fit", "edge"},
		"a list that is edited twice":           {func(_ *wire.Parts, push *wire.Push) { push.Edits[2].Kind = 1 }, "twice", "edge"},
		"a kind that there is not":              {func(_ *wire.Parts, push *wire.Push) { push.Edits[2].Kind = 99 }, "none that there is", "edge"},
		"another unit's set": {func(parts *wire.Parts, push *wire.Push) {
			other := unit(b.port, target)
			other.Proxy.Owner.Name = "other"
			p, q := whole(other, "v2", push.Seq)
			*parts, *push = *p, *onto(q, 1, b.push)
		}, "another unit's", "edge"},
	} {
		seq++
		parts, push := fresh(seq)
		c.spoil(parts, push)
		b.stream.say(parts)
		b.stream.say(push)
		state := b.stream.answers(t, seq)
		switch {
		case state.Holds != 1 || state.Version != "v1":
			t.Errorf("%s: the pod holds push %d of version %s", name, state.Holds, state.Version)
		case len(state.Objections) == 0 || !strings.Contains(state.Objections[0].Message, c.says):
			t.Errorf("%s: the pod objects %+v, want %q", name, state.Objections, c.says)
		case state.Objections[0].Origin.Name != c.origin:
			t.Errorf("%s: the objection is about %+v", name, state.Objections[0].Origin)
		}
	}
	if got := get(b.port, "/0"); got != "one" {
		t.Errorf("the pod serves %q", got)
	}
	parts, push := fresh(seq + 1)
	b.stream.say(parts)
	b.stream.say(push)
	if state := b.stream.serves(t, "v2", seq+1); len(state.Objections) > 0 {
		t.Errorf("objections of before are left: %+v", state.Objections)
	}
	if got := get(b.port, "/0"); got != "two" {
		t.Errorf("the pod serves %q", got)
	}
}

// TestPartsThatNobodyNamesGo: what no set names is forgotten, though it was sent
// once.
func TestPartsThatNobodyNamesGo(t *testing.T) {
	b := begin(t, nil)
	parts, push := whole(unit(b.port, answering(t, "two")), "v2", 2)
	parts2, push2 := whole(unit(b.port, answering(t, "three")), "v3", 3)
	again, push3 := whole(unit(b.port, answering(t, "two"), nowhere), "v4", 4)
	// The endpoints of v2 are what v4 names and does not bring.
	last := len(push3.Edits) - 1
	push3.Edits[last].Splices[0].Insert[0] = push.Edits[last].Splices[0].Insert[0]
	b.stream.say(parts)
	b.stream.say(onto(push, 1, b.push))
	b.stream.serves(t, "v2", 2)
	b.stream.say(parts2)
	b.stream.say(onto(push2, 2, push))
	b.stream.serves(t, "v3", 3)
	b.stream.say(again)
	b.stream.say(onto(push3, 3, push2))
	state := b.stream.answers(t, 4)
	if state.Holds != 3 || len(state.Objections) != 1 || !strings.Contains(state.Objections[0].Message, "not sent") {
		t.Errorf("the pod says %+v", state)
	}
}

// TestUnreadableMessage: a push of a newer operator with a field that this pod
// does not know is an objection that names it.
func TestUnreadableMessage(t *testing.T) {
	b := begin(t, nil)
	frame, err := wire.Encode(&wire.Push{Seq: 2})
	if err != nil {
		t.Fatal(err)
	}
	// The struct's end becomes a field more.
	frame = append(frame[:len(frame)-1], "\x05Later\x01\x00"...)
	b.stream.sayBytes(frame)
	state := b.stream.answers(t, 2)
	if state.Holds != 1 || len(state.Objections) != 1 || !strings.Contains(state.Objections[0].Message, `unknown field "Later" of Push`) {
		t.Errorf("the pod says %+v", state)
	}
}

// TestPointersStay: what did not change stays the same pointer, for builds that
// go by that.
func TestPointersStay(t *testing.T) {
	local := &recorder{assigned: make(chan ir.Unit, 10)}
	b := begin(t, func(o *client.Options) { o.Start = local.start })
	first := <-local.assigned
	e := endpoints(b.unit.Endpoints[0].Key, netip.MustParseAddrPort("10.0.0.1:80"))
	m := wire.Manifest{Version: "v1", Lists: make([][]hash.Sum, wire.Kinds)}
	for kind := range wire.Kinds {
		m.Lists[kind] = b.push.Edits[kind].Splices[0].Insert
	}
	m.Lists[wire.Endpoints] = []hash.Sum{hash.Of(e)}
	b.stream.say(&wire.Parts{Parts: []wire.Part{wire.WritePart(wire.Endpoints, hash.Of(e), e)}})
	b.stream.say(&wire.Push{Seq: 2, Base: 1, Version: "v1", Total: m.Total(), Edits: []wire.Edit{
		{Kind: wire.Endpoints, Splices: []wire.Splice{{Remove: 1, Insert: m.Lists[wire.Endpoints]}}},
	}})
	b.stream.serves(t, "v1", 2)
	second := <-local.assigned
	if second.Proxy != first.Proxy {
		t.Error("a change of endpoints makes another Proxy")
	}
	if second.Endpoints[0] == first.Endpoints[0] || second.Endpoints[0].Endpoints[0].Address != "10.0.0.1" {
		t.Error("the endpoints are those of before")
	}
}

// TestSilence: an operator that says nothing is left, though its connection is up.
func TestSilence(t *testing.T) {
	c := newCluster(t)
	o := c.startByHand(t, "127.0.0.1:0")
	c.runPod(t, "a", func(o *client.Options) { o.Times.Silence = 50 * time.Millisecond }, o.addr)
	s := o.next(t)
	s.say(&wire.Welcome{Term: 5})
	<-s.gone
	o.next(t)
}

// TestOlderTerm: a leader of an older term is not listened to, unless no other is
// to be found.
func TestOlderTerm(t *testing.T) {
	b := begin(t, func(o *client.Options) { o.Times.OlderTerm = 500 * time.Millisecond })
	b.stream.end(nil)
	began := time.Now()
	for tries := 0; ; tries++ {
		s := b.o.next(t)
		if s.hello.Term != 5 {
			t.Fatalf("the pod has seen term %d", s.hello.Term)
		}
		s.say(&wire.Welcome{Term: 4})
		parts, push := whole(unit(b.port, answering(t, "old")), "v0", 1)
		s.say(parts)
		s.say(onto(push, 0, b.push))
		state, err := hear[wire.State](s.peer)
		if err != nil {
			s.end(nil)
			continue
		}
		if tries == 0 || time.Since(began) < 500*time.Millisecond {
			t.Errorf("the pod listens to the older leader at try %d: %+v", tries, state)
		}
		return
	}
}

// lingering is a proxy that drains until it is released.
type lingering struct {
	recorder
	ending <-chan struct{}
	late   atomic.Int32
}

func (l *lingering) start(ctx context.Context, _, _ string) (dataplanes.Local, error) {
	l.outcomes, l.ending = make(chan dataplanes.Outcome, 100), ctx.Done()
	return l, nil
}

func (l *lingering) Apply(a dataplanes.Assignment) {
	select {
	case <-l.ending:
		l.late.Add(1)
	default:
		l.recorder.Apply(a)
	}
}

// TestDrainingTakesNothing: what is pushed to a pod that drains is answered, and
// not kept for a proxy that takes nothing any more.
func TestDrainingTakesNothing(t *testing.T) {
	c := newCluster(t)
	o := c.startByHand(t, "127.0.0.1:0")
	local := &lingering{recorder: recorder{assigned: make(chan ir.Unit, 10)}}
	p := c.runPod(t, "a", func(o *client.Options) { o.Start = local.start }, o.addr)
	stream := o.next(t)
	stream.say(&wire.Welcome{Term: 1})
	parts, push := whole(unit(80, nowhere), "v1", 1)
	stream.say(parts)
	stream.say(push)
	stream.serves(t, "v1", 1)
	ended := make(chan struct{})
	go func() {
		p.stop()
		close(ended)
	}()
	<-local.ending
	stream.say(&wire.Push{Seq: 2, Base: 1, Version: "v1", SessionKey: "another", Total: push.Total})
	stream.answers(t, 2)
	close(local.outcomes)
	<-ended
	if n := local.late.Load(); n > 0 {
		t.Errorf("%d sets were handed to a proxy that drains", n)
	}
}
