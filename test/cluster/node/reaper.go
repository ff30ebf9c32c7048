package node

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// reaper starts programs and waits for every process that is left to the first
// one, which package os/exec cannot do beside its own waiting.
type reaper struct {
	mu sync.Mutex
	// ended says what to do with the end of a process that was started here.
	ended  map[int]func(syscall.WaitStatus)
	failed chan error
}

func newReaper() *reaper {
	return &reaper{ended: map[int]func(syscall.WaitStatus){}, failed: make(chan error, 1)}
}

// fail ends the node. The first reason counts.
func (r *reaper) fail(err error) {
	select {
	case r.failed <- err:
	default:
	}
}

// run reaps until the node fails.
func (r *reaper) run() error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGCHLD)
	for {
		r.reap()
		select {
		case err := <-r.failed:
			return err
		case <-signals:
		}
	}
}

func (r *reaper) reap() {
	// Held, so that a process that ends at once is known before it is reaped.
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if pid <= 0 || err != nil {
			return
		}
		if tell := r.ended[pid]; tell != nil {
			delete(r.ended, pid)
			tell(status)
		}
	}
}

// start runs a program that the node does not live without.
func (r *reaper) start(program string, arguments ...string) error {
	return r.launch(program, arguments, func(status syscall.WaitStatus) {
		r.fail(fmt.Errorf("%s ended: %s", program, describe(status)))
	})
}

// do runs a program to its end.
func (r *reaper) do(program string, arguments ...string) error {
	done := make(chan syscall.WaitStatus, 1)
	if err := r.launch(program, arguments, func(status syscall.WaitStatus) { done <- status }); err != nil {
		return err
	}
	if status := <-done; status.ExitStatus() != 0 {
		return fmt.Errorf("%s %q: %s", program, arguments, describe(status))
	}
	return nil
}

func (r *reaper) launch(program string, arguments []string, ended func(syscall.WaitStatus)) error {
	path, err := look(program)
	if err != nil {
		return err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	process, err := os.StartProcess(path, append([]string{program}, arguments...), &os.ProcAttr{
		Env: os.Environ(), Files: []*os.File{null, os.Stdout, os.Stderr}, Sys: &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		return fmt.Errorf("starting %s: %w", program, err)
	}
	r.ended[process.Pid] = ended
	return process.Release()
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "by " + status.Signal().String()
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}
