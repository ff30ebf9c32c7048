package host

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"

	"github.com/sluice-gateway/sluice/test/cluster/plan"
)

// process is a program that runs beside the host, or has.
type process struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	// ended is closed when the process is gone and reaped.
	ended chan struct{}
	// asked is set before it is ended on purpose.
	asked bool
	// How it ended, once it has.
	err error
}

// processes starts programs and ends them.
type processes struct {
	plan   plan.Plan
	starts chan func()
	mu     sync.Mutex
	all    map[string]*process
}

// newProcesses keeps one thread for starting: the kernel ends a child when the
// thread that made it ends (prctl(2), PR_SET_PDEATHSIG), and Go ends threads.
func newProcesses(p plan.Plan) *processes {
	ps := &processes{plan: p, starts: make(chan func()), all: map[string]*process{}}
	go func() {
		runtime.LockOSThread()
		for start := range ps.starts {
			start()
		}
	}()
	return ps
}

// start runs a command under a name, with its output appended to a log.
func (ps *processes) start(name string, cmd *exec.Cmd) (*process, error) {
	if old := ps.get(name); old != nil && old.running() {
		return nil, fmt.Errorf("%s runs already", name)
	}
	log, err := os.OpenFile(ps.plan.Log(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	pr := &process{name: name, cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	if pr.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := ps.onThread(cmd.Start); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	ps.add(pr)
	return pr, nil
}

func (ps *processes) onThread(start func() error) error {
	result := make(chan error)
	ps.starts <- func() { result <- start() }
	return <-result
}

func (ps *processes) add(pr *process) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.all[pr.name] = pr
	go func() {
		pr.err = pr.cmd.Wait()
		close(pr.ended)
	}()
}

func (ps *processes) get(name string) *process {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.all[name]
}

// kill ends a process as a power cut does and waits until it is gone.
func (ps *processes) kill(name string) error {
	pr := ps.get(name)
	if pr == nil {
		return fmt.Errorf("there is no process %q", name)
	}
	ps.mu.Lock()
	pr.asked = true
	ps.mu.Unlock()
	err := pr.cmd.Process.Kill()
	<-pr.ended
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// killAll ends everything that runs.
func (ps *processes) killAll() {
	for _, name := range ps.names() {
		// What cannot be killed is reported by the one who finds it in the way.
		_ = ps.kill(name)
	}
}

func (ps *processes) names() []string {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	var names []string
	for name := range ps.all {
		names = append(names, name)
	}
	return names
}

// lost returns an error when a process has ended that nobody asked to.
func (ps *processes) lost() error {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, pr := range ps.all {
		if !pr.asked && !pr.running() {
			return fmt.Errorf("%s ended by itself: %v; the end of its log:\n%s", pr.name, pr.err, tail(ps.plan.Log(pr.name)))
		}
	}
	return nil
}

func (pr *process) running() bool {
	select {
	case <-pr.ended:
		return false
	default:
		return true
	}
}

// tail returns the last of a log: enough to see why its process ended.
func tail(file string) string {
	const most = 2000
	data, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-most):])
}
