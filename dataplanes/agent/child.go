package agent

import (
	"context"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Program is how a proxy's process is started.
type Program struct {
	Path string
	Args []string
	Env  []string
	// Said receives what the process writes to its standard error, Lines what it
	// writes to its standard output, each line by itself. Nil is nowhere.
	Said, Lines io.Writer
}

// Child keeps a program running: one that ends by itself is started again, after a
// wait that grows while it does not live long.
type Child struct {
	program Program
	cancel  context.CancelFunc
	done    chan struct{}
	ended   chan struct{}

	mu      sync.Mutex
	process *os.Process
	starts  int
	lastErr error
	// released is true once the process may end by itself.
	released bool
}

// firstPause and lastPause bound the wait before a program is started again.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 10 * time.Second
	// lastWords bounds the wait for what a process has written before it ended.
	lastWords = 5 * time.Second
)

// Keep starts a program and keeps it running until Stop.
func Keep(program Program) *Child {
	ctx, cancel := context.WithCancel(context.Background())
	c := &Child{program: program, cancel: cancel, done: make(chan struct{}), ended: make(chan struct{}, 1)}
	go c.run(ctx)
	return c
}

// Ended receives once the process has ended by itself, one time for all that ended
// since it was last read.
func (c *Child) Ended() <-chan struct{} { return c.ended }

// Starts is how often the program was started, and what ended it the last time.
func (c *Child) Starts() (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.starts, c.lastErr
}

// PID is the process that runs now; 0 for none.
func (c *Child) PID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil {
		return 0
	}
	return c.process.Pid
}

// Stop ends the process and waits until it has gone.
func (c *Child) Stop() {
	c.cancel()
	<-c.done
}

// Release has the process end by itself, by a signal that it understands so, and does
// not start it again. It waits until the process has gone, and no longer than the
// context. Stop is still to be called.
func (c *Child) Release(ctx context.Context, how os.Signal) {
	c.mu.Lock()
	c.released = true
	if c.process != nil {
		_ = c.process.Signal(how)
	}
	c.mu.Unlock()
	select {
	case <-c.done:
	case <-ctx.Done():
	}
}

func (c *Child) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.released
}

func (c *Child) run(ctx context.Context) {
	// What ends the process when we are killed is tied to the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(c.done)
	pause := firstPause
	for ctx.Err() == nil && !c.over() {
		began := time.Now()
		err := c.once(ctx)
		if time.Since(began) > lastPause {
			pause = firstPause
		}
		c.mu.Lock()
		c.lastErr, c.process = err, nil
		c.mu.Unlock()
		c.tell()
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

func (c *Child) tell() {
	select {
	case c.ended <- struct{}{}:
	default:
	}
}

// once runs the program until it ends, or ends it with the context.
func (c *Child) once(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, c.program.Path, c.program.Args...) //nolint:gosec // Whoever keeps a program says which.
	cmd.Env, cmd.Stderr = c.program.Env, c.program.Said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithUs(cmd.SysProcAttr)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = lastWords
	if c.program.Lines == nil {
		if err := c.start(cmd); err != nil {
			return err
		}
		return cmd.Wait()
	}
	return c.read(cmd)
}

func (c *Child) start(cmd *exec.Cmd) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.starts++
	if err := cmd.Start(); err != nil {
		return err
	}
	c.process = cmd.Process
	return nil
}

// Tail keeps the last lines that were written to it.
type Tail struct {
	mu    sync.Mutex
	lines []string
	part  string
}

var _ io.Writer = (*Tail)(nil)

const tailLines = 50

// Write implements io.Writer.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(t.part+string(p), "\n")
	t.part = lines[len(lines)-1]
	t.lines = append(t.lines, lines[:len(lines)-1]...)
	t.lines = t.lines[max(0, len(t.lines)-tailLines):]
	return len(p), nil
}

// Forget drops what was written.
func (t *Tail) Forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines, t.part = nil, ""
}

// String returns the lines.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(append(t.lines[:len(t.lines):len(t.lines)], t.part), "\n")
}

// Worst returns the last line that tells of an error or, where none does, the last
// that is no warning.
func (t *Tail) Worst() string {
	lines := strings.Split(strings.TrimSpace(t.String()), "\n")
	last := ""
	for _, line := range slices.Backward(lines) {
		if strings.Contains(line, "[critical]") || strings.Contains(line, "[error]") {
			return line
		}
		if last == "" && !strings.Contains(line, "[warning]") && !strings.Contains(line, "[info]") {
			last = line
		}
	}
	return last
}
