package process

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Command is a program to start.
type Command struct {
	Args []string
	// Env is added to the environment.
	Env []string
	// Output gets standard output and error; it is appended to.
	Output string
}

// Running is a program that was started here.
type Running struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// Start starts a program, which ends when this process does.
func Start(c Command) (*Running, error) {
	out, err := os.OpenFile(c.Output, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = out, out, attributes()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Args[0], err)
	}
	r := &Running{cmd: cmd, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(r.done)
	}()
	return r, nil
}

// PID is the program's process.
func (r *Running) PID() int { return r.cmd.Process.Pid }

// Ended is closed when the program has ended.
func (r *Running) Ended() <-chan struct{} { return r.done }

// Stop asks the program to end, and ends it where it has not in five seconds.
func (r *Running) Stop() {
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-r.done:
	case <-time.After(5 * time.Second):
		_ = r.cmd.Process.Kill()
		<-r.done
	}
}
