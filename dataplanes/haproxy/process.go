package haproxy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/agent"
	translator "github.com/sluice-gateway/sluice/translators/haproxy"
)

// process is one HAProxy: a master and its workers.
type process struct {
	folder *folder
	child  *agent.Child
	said   *agent.Tail
	// admin asks the newest worker, master the process that starts workers.
	admin, master *Socket
	// written are the files by name, as they are.
	written map[string]string
}

// configName is the configuration; secretName is what of it must not be shown.
const (
	configName = "haproxy.cfg"
	secretName = "secret.cfg"
)

// prepare makes a process's folder.
func prepare(in string) (*process, error) {
	f, err := newFolder(in)
	if err != nil {
		return nil, err
	}
	return &process{
		folder: f, said: &agent.Tail{}, written: map[string]string{},
		admin: &Socket{f.path(translator.AdminSocket)}, master: &Socket{f.path(translator.MasterSocket)},
	}, nil
}

// launch starts HAProxy with the files that are there, and keeps it running until
// stop.
func (p *process) launch(program string) {
	p.child = agent.Keep(agent.Program{
		Path: program, Env: os.Environ(), Said: p.said,
		Args: []string{
			"-W", "-S", "unix@" + translator.MasterSocket + ",mode,600", "-C", p.folder.dir, "-f", configName, "-f", secretName,
		},
	})
}

// refusal is that HAProxy does not take its files, and what it says.
type refusal struct{ said string }

func (r refusal) Error() string { return objection(strings.Join(alerts(r.said), "; ")) }

// started waits until a worker answers.
func (p *process) started(ctx context.Context) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		if _, err := p.admin.Ask(ctx, "show version"); err == nil {
			return nil
		}
		if starts, err := p.child.Starts(); starts > 1 {
			return errors.Join(refusal{p.said.String()}, err)
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
		return refusal{said}
	}
}

// write puts files in place, and reports whether one is new or another.
func (p *process) write(files map[string]string) (changed bool, err error) {
	for name, content := range files {
		if have, there := p.written[name]; there && have == content {
			continue
		}
		if err := p.folder.write(name, content); err != nil {
			return changed, fmt.Errorf("the files of HAProxy cannot be written: %w", err)
		}
		p.written[name], changed = content, true
	}
	return changed, nil
}

// leave has workers take no new connection, and end with their last.
func (p *process) leave() {
	if pid := p.child.PID(); pid > 0 {
		_ = syscall.Kill(pid, syscall.SIGUSR1)
	}
}

// stop ends HAProxy at once, and takes away what it needed.
func (p *process) stop() {
	if p.child != nil {
		p.child.Stop()
	}
	p.folder.remove()
}
