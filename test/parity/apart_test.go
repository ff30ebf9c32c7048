package parity

import (
	"bufio"
	"context"
	"encoding/gob"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes"
	"github.com/sluice-gateway/sluice/dataplanes/haproxy"
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/canonical"
)

// apart runs a dataplane in a process of its own, which can be stopped: what its proxy
// does without it is what it does then.
type apart struct {
	dataplanes.Dataplane
	// process is nil until it was started.
	process atomic.Pointer[os.Process]
	// open counts what was asked for and not reported yet; moved is when either was
	// last, in nanoseconds.
	open, moved atomic.Int64
}

var (
	_ dataplanes.Dataplane = (*apart)(nil)
	_ Agent                = (*apart)(nil)
)

// apartVariable says to this program that it is such a process.
const apartVariable = "SLUICE_PARITY_APART"

func TestMain(m *testing.M) {
	if os.Getenv(apartVariable) != "" {
		serveApart()
		return
	}
	os.Exit(m.Run())
}

// wish is what the process is asked for. Remove is set for an owner that is to go.
type wish struct {
	Remove     bool
	Owner      ir.Object
	Unit       []byte
	Version    string
	Address    string
	PortOffset int
	SessionKey string
}

// The files of the process beside its input: what it reports, and its access log.
const (
	reportFile = 3
	logFile    = 4
)

// serveApart does what it is asked for until its input ends.
func serveApart() {
	ctx, cancel := context.WithCancel(context.Background())
	log := os.NewFile(logFile, "log")
	local, err := haproxy.Dataplane{}.Start(ctx, dataplanes.Options{AccessLog: log, Zone: zone})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	signal.Ignore(syscall.SIGPIPE)
	go func() {
		defer cancel()
		wishes := gob.NewDecoder(os.Stdin)
		for {
			var w wish
			if wishes.Decode(&w) != nil {
				return
			}
			if err := w.grant(local); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return
			}
		}
	}()
	report := gob.NewEncoder(os.NewFile(reportFile, "report"))
	for outcome := range local.Outcomes() {
		_ = report.Encode(outcome)
	}
}

func (w *wish) grant(local dataplanes.Local) error {
	if w.Remove {
		local.Remove(w.Owner)
		return nil
	}
	var unit *ir.Unit
	if err := canonical.Decode(w.Unit, &unit); err != nil {
		return err
	}
	a := dataplanes.Assignment{Unit: unit, Version: w.Version, PortOffset: w.PortOffset, SessionKey: ir.Secret(w.SessionKey)}
	if err := a.Address.UnmarshalText([]byte(w.Address)); err != nil {
		return err
	}
	local.Apply(a)
	return nil
}

// Start starts the process.
func (a *apart) Start(ctx context.Context, opts dataplanes.Options) (dataplanes.Local, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	l := &apartLocal{apart: a, outcomes: make(chan dataplanes.Outcome, 1)}
	l.command = exec.Command(self) //nolint:gosec // This program.
	l.command.Env = append(os.Environ(), apartVariable+"=1")
	l.command.Stderr = os.Stderr
	l.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := l.start(opts.AccessLog); err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() {
		a.Continue()
		l.input.Close()
	})
	a.process.Store(l.command.Process)
	return l, nil
}

// Stop stops the process as it stands.
func (a *apart) Stop() { a.signal(syscall.SIGSTOP) }

// Continue lets it go on.
func (a *apart) Continue() { a.signal(syscall.SIGCONT) }

func (a *apart) signal(s syscall.Signal) {
	if p := a.process.Load(); p != nil {
		_ = p.Signal(s)
	}
}

// lull is how long nothing must have been asked for until nobody is believed to be
// about to.
const lull = 250 * time.Millisecond

// Settle looks until all is reported, and nothing was asked for lately.
func (a *apart) Settle(ctx context.Context) {
	began := time.Now()
	for ctx.Err() == nil && (a.open.Load() > 0 || time.Since(began) < lull || time.Since(time.Unix(0, a.moved.Load())) < lull) {
		pause()
	}
}

type apartLocal struct {
	apart    *apart
	command  *exec.Cmd
	outcomes chan dataplanes.Outcome
	input    io.WriteCloser
	mu       sync.Mutex
	wishes   *gob.Encoder
}

var _ dataplanes.Local = (*apartLocal)(nil)

func (l *apartLocal) start(log io.Writer) error {
	input, err := l.command.StdinPipe()
	if err != nil {
		return err
	}
	l.input, l.wishes = input, gob.NewEncoder(input)
	reports, reporter, err := os.Pipe()
	if err != nil {
		return err
	}
	lines, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	l.command.ExtraFiles = []*os.File{reporter, writer}
	if err := l.command.Start(); err != nil {
		return err
	}
	reporter.Close()
	writer.Close()
	go func() {
		for scan := bufio.NewScanner(lines); scan.Scan(); {
			_, _ = log.Write(append(scan.Bytes(), '\n'))
		}
		lines.Close()
	}()
	go l.hear(reports)
	return nil
}

// hear hands on what the process reports until it has ended.
func (l *apartLocal) hear(reports *os.File) {
	defer close(l.outcomes)
	defer reports.Close()
	decoder := gob.NewDecoder(reports)
	for {
		var o dataplanes.Outcome
		if decoder.Decode(&o) != nil {
			_ = l.command.Wait()
			return
		}
		l.outcomes <- o
		l.apart.open.Store(0)
		l.apart.moved.Store(time.Now().UnixNano())
	}
}

func (l *apartLocal) say(w wish) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.wishes.Encode(w)
}

// Apply asks the process.
func (l *apartLocal) Apply(a dataplanes.Assignment) {
	l.apart.open.Add(1)
	l.apart.moved.Store(time.Now().UnixNano())
	l.say(wish{
		Unit: canonical.Append(nil, a.Unit), Version: a.Version, Address: a.Address.String(), PortOffset: a.PortOffset,
		SessionKey: string(a.SessionKey),
	})
}

// Remove asks the process.
func (l *apartLocal) Remove(owner ir.Object) { l.say(wish{Remove: true, Owner: owner}) }

// Outcomes are the process's.
func (l *apartLocal) Outcomes() <-chan dataplanes.Outcome { return l.outcomes }
