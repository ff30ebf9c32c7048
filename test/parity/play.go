package parity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// play is one case against one dataplane.
type play struct {
	world *world
	proxy *Proxy
	// plane is the dataplane's name.
	plane string
	// agent is nil where it goes on through all steps.
	agent   Agent
	sockets map[string]*websocket.Conn
	// conns are streams and clients of datagrams that steps left open.
	conns map[string]*wireConn
	tries int
	// hurried steps are made again, so that nobody reads why they failed.
	hurried bool
	// logged is how much of the access log was there when the step began.
	logged int
	mu     sync.Mutex
}

// between is how often a condition that nothing announces is looked at.
const between = 10 * time.Millisecond

// Run plays every step and returns the first failure, with all that is needed
// to understand it.
func (p *play) run(ctx context.Context, steps []Step) error {
	defer p.closeSockets()
	if steps[0].Wait == nil {
		if err := p.programmed(ctx); err != nil {
			return err
		}
		if problem := p.proxy.Problems(); problem != "" {
			return fmt.Errorf("in.yaml: the directory's reader objects to it: %s", problem)
		}
	}
	for i := range steps {
		if !steps[i].plays(p.plane) {
			continue
		}
		if err := p.stepWithout(ctx, i, &steps[i]); err != nil {
			return fmt.Errorf("step %d (%s):\n%w", i+1, steps[i].Name, err)
		}
	}
	return nil
}

func (p *play) closeSockets() {
	for _, conn := range p.sockets {
		conn.CloseNow()
	}
	for _, conn := range p.conns {
		conn.Close()
	}
}

// programmed waits for every Gateway of the case.
func (p *play) programmed(ctx context.Context) error {
	for _, o := range p.world.objects {
		if o.kind() != "Gateway" {
			continue
		}
		u := Until{Object: o.id(), Type: "Programmed", Status: "True"}
		if err := p.until(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

// stepWithout plays one step without the agent, where it is to do without. Where that
// fails the agent may not have done yet what the last edit asks for: it goes on until
// the step goes well, which then must go well without it too.
func (p *play) stepWithout(ctx context.Context, index int, s *Step) error {
	switch {
	case p.agent == nil:
		return p.step(ctx, index, s)
	case s.Edit != nil || s.Wait != nil:
		p.agent.Continue()
		defer p.agent.Settle(ctx)
		return p.step(ctx, index, s)
	}
	if p.stopped(ctx, index, s) == nil {
		return nil
	}
	p.agent.Continue()
	if err := p.step(ctx, index, s); err != nil || s.Request != nil && s.Request.Jar != "" {
		// Who has been given a cookie asks for something else the next time.
		return err
	}
	if err := p.stopped(ctx, index, s); err != nil {
		return fmt.Errorf("while the agent is stopped: %w", err)
	}
	return nil
}

// stopped plays a step once while the agent is stopped.
func (p *play) stopped(ctx context.Context, index int, s *Step) error {
	p.agent.Stop()
	once := *s
	once.Eventually = false
	return p.step(ctx, index, &once)
}

// step plays one step, again and again where it is to go well eventually.
func (p *play) step(ctx context.Context, index int, s *Step) error {
	deadline := time.Now().Add(patience)
	for {
		p.tries++
		_, p.logged = p.proxy.AccessLog(0)
		p.hurried = s.Eventually && time.Now().Before(deadline)
		id := fmt.Sprintf("step-%d-%d", index+1, p.tries)
		err := p.try(ctx, id, s)
		if err == nil || !s.Eventually || time.Now().After(deadline) {
			return err
		}
		pause()
	}
}

func (p *play) try(ctx context.Context, id string, s *Step) error {
	switch {
	case s.Edit != nil:
		return p.edit(ctx, s.Edit)
	case s.Wait != nil:
		return p.untilAll(ctx, s.Wait)
	case s.Raw != nil:
		got, err := p.raw(ctx, id, s.Raw)
		return p.explain(id, err, fmt.Sprintf("sent %q\ngot  %q", s.Raw.Send, got))
	case s.WebSocket != nil:
		a, err := p.webSocket(ctx, id, s.WebSocket)
		if err != nil {
			return p.explain(id, err, fmt.Sprintf("websocket %+v", *s.WebSocket))
		}
		return p.judge(id, s, []*answer{a}, 1)
	case s.Stream != nil:
		answers, err := p.streams(ctx, s.Stream)
		if err != nil {
			return p.explain(id, err, fmt.Sprintf("stream %+v", *s.Stream))
		}
		return p.judge(id, s, answers, len(answers))
	case s.Datagram != nil:
		answers, err := p.datagrams(ctx, s)
		if err != nil {
			return p.explain(id, err, fmt.Sprintf("datagram %+v", *s.Datagram))
		}
		return p.judge(id, s, answers, len(answers))
	case s.GRPC != nil:
		answers, dials, err := p.grpc(ctx, id, s.GRPC)
		if err != nil {
			return err
		}
		return p.judge(id, s, answers, dials)
	default:
		answers, dials, err := p.http(ctx, id, s.Request)
		if err != nil {
			return err
		}
		return p.judge(id, s, answers, dials)
	}
}

// judge compares answers with what the step expects.
func (p *play) judge(id string, s *Step, answers []*answer, connections int) error {
	expect := p.filled(s.Expect)
	j := &judge{want: &expect}
	j.all(answers, connections)
	p.tried(s.Request, len(answers), j)
	p.save(s.Save, answers[len(answers)-1], j)
	for i := range s.Arrived {
		p.awaitArrived(id, &s.Arrived[i], j)
	}
	if len(j.problems) == 0 {
		return nil
	}
	shown := answers[0]
	for _, a := range answers {
		one := &judge{want: &expect}
		if one.one(a); len(one.problems) > 0 {
			shown = a
			break
		}
	}
	return p.explain(id, errors.New(j.text()), s.sent()+"\ngot "+shown.String())
}

func (s *Step) sent() string {
	switch {
	case s.Request != nil:
		return fmt.Sprintf("request %+v", *s.Request)
	case s.GRPC != nil:
		return fmt.Sprintf("call %+v", *s.GRPC)
	case s.Stream != nil:
		return fmt.Sprintf("stream %+v", *s.Stream)
	case s.Datagram != nil:
		return fmt.Sprintf("datagram %+v", *s.Datagram)
	default:
		return fmt.Sprintf("websocket %+v", *s.WebSocket)
	}
}

// explain puts what happened beside what is wrong.
func (p *play) explain(id string, err error, happened string) error {
	if err == nil {
		return nil
	}
	text := fmt.Sprintf("  %s\n%s", err, happened)
	if line := p.lastLine(); line != "" {
		text += "\naccess log " + line
	}
	return errors.New(text)
}

// lastLine is the access log's last line of this step, which comes a moment
// after the answer, if one comes at all.
func (p *play) lastLine() string {
	deadline := time.Now().Add(time.Second)
	for {
		lines, _ := p.proxy.AccessLog(p.logged)
		if len(lines) > 0 {
			return lines[len(lines)-1]
		}
		if p.hurried || time.Now().After(deadline) {
			return ""
		}
		pause()
	}
}

// awaitArrived waits until a backend got its share of a step: a mirrored
// request has no moment at which it must have come.
func (p *play) awaitArrived(id string, want *Arrived, j *judge) {
	deadline := time.Now().Add(patience / 4)
	for {
		trial := &judge{want: j.want}
		trial.arrived(p.world.record.Arrived(qualify(want.Backend), id), want)
		if len(trial.problems) == 0 {
			return
		}
		if time.Now().After(deadline) {
			j.problems = append(j.problems, trial.problems...)
			return
		}
		pause()
	}
}

// save keeps values of an answer for later steps.
func (p *play) save(what map[string]string, a *answer, j *judge) {
	for name, from := range what {
		kind, key, _ := strings.Cut(from, ":")
		value := ""
		switch {
		case kind == "header":
			value = a.header.Get(key)
		case kind == "answer" && a.seen != nil:
			value = map[string]string{"endpoint": a.seen.Endpoint, "backend": a.seen.Backend}[key]
		}
		if value == "" {
			j.addf("save %s: %s is empty", name, from)
		}
		p.world.saved[name] = value
	}
}

// fill writes saved values into a text.
func (p *play) fill(text string) string {
	for name, value := range p.world.saved {
		text = strings.ReplaceAll(text, "${"+name+"}", value)
	}
	return text
}

func (p *play) filled(e Expect) Expect {
	e.Endpoint = p.fill(e.Endpoint)
	return e
}

// edit changes the directory and waits until its reader has handed the change
// over: until then, what the status says is about what was before.
func (p *play) edit(ctx context.Context, e *Edit) error {
	before, err := p.world.texts()
	if err != nil {
		return err
	}
	if err := p.world.change(e); err != nil {
		return err
	}
	after, err := p.world.texts()
	if err != nil {
		return err
	}
	seen := p.proxy.Seen()
	if err := p.world.write(); err != nil {
		return err
	}
	for _, id := range differing(before, after) {
		if err := p.await(ctx, id+" to be read", func() (bool, string) { return p.proxy.HasRead(id, seen[id]) }); err != nil {
			return err
		}
	}
	return p.untilAll(ctx, e.Until)
}

func differing(before, after map[string]string) []string {
	var ids []string
	for id := range after {
		if before[id] != after[id] {
			ids = append(ids, id)
		}
	}
	for id := range before {
		if _, stays := after[id]; !stays {
			ids = append(ids, id)
		}
	}
	return ids
}

func (p *play) untilAll(ctx context.Context, list []Until) error {
	for _, u := range list {
		if err := p.until(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

// until waits for one condition.
func (p *play) until(ctx context.Context, u Until) error {
	return p.await(ctx, u.String(), func() (bool, string) { return p.proxy.Holds(u) })
}

// await waits until something is so, and looks whenever anything has changed.
func (p *play) await(ctx context.Context, what string, look func() (bool, string)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		changed := p.proxy.Changed()
		holds, now := look()
		if holds {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waited in vain for %s; there is %s", what, or(now, "nothing"))
		}
	}
}

// String is the condition as a message names it.
func (u Until) String() string {
	if u.Problem != "" {
		return fmt.Sprintf("a problem of the directory that matches %q", u.Problem)
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s: %s=%s %s", u.Object, u.Listener, u.Type, u.Status, u.Reason))
}

// pause waits a moment between two looks at what announces nothing.
func pause() { <-time.After(between) }
