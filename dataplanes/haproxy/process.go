package haproxy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/agent"
	"github.com/sluice-gateway/sluice/dataplanes/agent/folder"
	"github.com/sluice-gateway/sluice/dataplanes/haproxy/record"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// process is one HAProxy: a master and its workers.
type process struct {
	program string
	folder  *folder.Folder
	child   *agent.Child
	said    *agent.Tail
	// record reads what it writes of requests.
	record *record.Unit
	// admin asks the newest worker, master the process that starts workers.
	admin, master *Socket
	// written are the files by name, as they are.
	written map[string]string
	// runs is what the worker runs; nil where that is not known for sure.
	runs *layout
	// crowded is true where workers may be there from before.
	crowded bool
	// leaving are servers that are to be deleted once their connections have ended.
	leaving map[serverKey]translator.Server
	rolled  rolled
}

// longestSocket is the name under which HAProxy makes a socket, which has another one
// once others are to reach it.
const longestSocket = "master.sock.4194304.tmp"

// prepare makes a process's folder.
func prepare(program, in string) (*process, error) {
	f, err := folder.Make(folder.Input{In: in, Program: wanted.Name, Socket: longestSocket})
	if err != nil {
		return nil, err
	}
	return &process{
		program: program, folder: f, said: &agent.Tail{}, written: map[string]string{}, leaving: map[serverKey]translator.Server{}, rolled: rolled{},
		admin: &Socket{f.Path(translator.AdminSocket), workerTime}, master: &Socket{f.Path(translator.MasterSocket), masterTime},
	}, nil
}

// reads is which files HAProxy reads. What is said last counts.
var reads = []string{"-f", configName, "-f", backendsName, "-f", processName}

// launch starts HAProxy with the files that are there, and keeps it running until
// stop.
func (p *process) launch() {
	p.child = agent.Keep(agent.Program{
		Path: p.program, Env: os.Environ(), Said: p.said,
		Args: append([]string{"-W", "-S", "unix@" + translator.MasterSocket + ",mode,600", "-C", p.folder.Dir}, reads...),
	})
}

// refusal is that HAProxy does not take its files, and what it says. Whatever ran
// before runs.
type refusal struct {
	said   string
	layout *layout
}

func (r refusal) Error() string { return objection(strings.Join(alerts(r.said), "; ")) }

// answers reports whether a worker serves, and the master hears: a signal that comes
// to it before is lost.
func (p *process) answers(ctx context.Context) bool {
	if _, err := p.admin.Ask(ctx, "show version"); err != nil {
		return false
	}
	said, err := p.master.Ask(ctx, "show proc")
	return err == nil && strings.Contains(said, "worker")
}

// serves reports whether a worker serves.
func (p *process) serves(ctx context.Context) bool {
	return p != nil && p.child != nil && p.worker(ctx) > 0
}

// started waits until HAProxy answers, and no longer than HAProxy ends for the second
// time since.
func (p *process) started(ctx context.Context, since int) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		if p.answers(ctx) {
			return nil
		}
		if starts, err := p.child.Starts(); starts > since+1 && err != nil {
			return refusal{said: p.said.String()}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// reload has a new worker take the files, and returns once it serves.
func (p *process) reload(ctx context.Context) error {
	said, err := p.master.Ask(ctx, "reload")
	switch {
	case err != nil:
		return fmt.Errorf("HAProxy cannot be asked to reload: %w", err)
	case strings.HasPrefix(said, "Success=1"):
		return nil
	default:
		return refusal{said: said}
	}
}

// worker is the process that answers; 0 for none.
func (p *process) worker(ctx context.Context) int {
	said, err := p.admin.Ask(ctx, "show info")
	if err != nil {
		return 0
	}
	return numberOf(said, "Pid")
}

// write puts files in place, and takes those away that are not among them.
func (p *process) write(files map[string]string) error {
	for name, content := range files {
		if have, there := p.written[name]; there && have == content {
			continue
		}
		if err := p.folder.Write(name, content); err != nil {
			return fmt.Errorf("the files of HAProxy cannot be written: %w", err)
		}
		p.written[name] = content
	}
	for name := range p.written {
		if _, named := files[name]; !named {
			_ = os.Remove(p.folder.Path(name))
			delete(p.written, name)
		}
	}
	return nil
}

// apply has HAProxy run a layout: it is told what it can be told, and reloads where it
// cannot. What it refuses leaves it as it is, as far as p.runs says.
func (p *process) apply(ctx context.Context, next *layout) error {
	now := time.Now()
	p.roll(next, now)
	if p.runs != nil && p.child != nil {
		c := difference(p.runs, next, p.leaving)
		if !c.reload {
			c.first = append(p.rolling(next, now), c.first...)
			if p.tell(ctx, c, next) == nil {
				p.runs = next
				return p.write(next.texts())
			}
			// Some of it may be done.
			p.runs = nil
		}
	}
	return p.renew(ctx, next.swept(now))
}

// tell does a change while HAProxy runs.
func (p *process) tell(ctx context.Context, c *change, next *layout) error {
	if err := p.admin.Do(ctx, c.first); err != nil {
		return err
	}
	if c.rows {
		if err := p.admin.replace(ctx, translator.RoutesMap, next.routes); err != nil {
			return err
		}
	}
	if err := p.admin.Do(ctx, slices.Concat(c.last, c.after)); err != nil {
		return err
	}
	for _, key := range c.back {
		delete(p.leaving, key)
	}
	for _, key := range c.left {
		p.leaving[key] = p.runs.server(key)
	}
	p.dismiss(ctx)
	return nil
}

// server returns one that is there.
func (l *layout) server(key serverKey) translator.Server {
	for _, s := range l.sections[sectionKey{backendKind, key.section}].Pool.Servers {
		if s.Name == key.name {
			return s
		}
	}
	return translator.Server{}
}

// dismiss deletes servers whose connections have ended. HAProxy refuses to delete
// others.
func (p *process) dismiss(ctx context.Context) {
	for key := range p.leaving {
		if p.admin.Do(ctx, []command{{line: "del server " + key.String()}}) == nil {
			delete(p.leaving, key)
		}
	}
}

// renew has a new worker run a layout, once HAProxy has read it in another place.
func (p *process) renew(ctx context.Context, next *layout) error {
	texts := next.texts()
	if said, err := p.check(ctx, texts); err != nil || said != "" {
		return errors.Join(err, refusalOf(said, next))
	}
	before := make(map[string]string, len(p.written))
	for name, content := range p.written {
		before[name] = content
	}
	if err := p.write(texts); err != nil {
		return err
	}
	err := p.begin(ctx)
	if err != nil {
		if len(before) > 0 {
			_ = p.write(before)
		}
		return err
	}
	p.runs, p.leaving = next, map[serverKey]translator.Server{}
	// A new worker knows nothing of it. One that does not hear it serves all the same.
	_ = p.admin.Do(ctx, p.rolling(next, time.Time{}))
	return nil
}

func refusalOf(said string, l *layout) error {
	if said == "" {
		return nil
	}
	return refusal{said, l}
}

// begin starts HAProxy, or reloads it.
func (p *process) begin(ctx context.Context) error {
	if p.child == nil {
		p.launch()
		return p.started(ctx, 0)
	}
	p.room(ctx)
	starts, _ := p.child.Starts()
	p.said.Forget()
	p.crowded = true
	err := p.reload(ctx)
	if err == nil || errors.As(err, &refusal{}) {
		return err
	}
	// It has ended, and is started again with the files that are there now.
	return p.started(ctx, starts)
}

// mostOld is how many workers may be there from before, with the connections that they
// have, before a reload waits for one of them. Each has all of the configuration.
const mostOld = 8

// room waits, for a while that grows with their number, until few enough workers are
// there from before.
func (p *process) room(ctx context.Context) {
	for waited := time.Duration(0); ; waited += 50 * time.Millisecond {
		old := p.old(ctx)
		if old < mostOld || waited > time.Duration(old-mostOld+1)*500*time.Millisecond {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// old is how many workers are there that take no new connections.
func (p *process) old(ctx context.Context) int {
	said, err := p.master.Ask(ctx, "show proc")
	if err != nil {
		return 0
	}
	_, old, _ := strings.Cut(said, "# old workers")
	return strings.Count(old, " worker ")
}

// stop ends HAProxy at once, and takes away what it needed.
func (p *process) stop() {
	if p.child != nil {
		p.child.Stop()
	}
	if p.record != nil {
		p.record.Close()
	}
	p.folder.Remove()
}
