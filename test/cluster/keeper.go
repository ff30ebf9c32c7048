package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/sluice-gateway/sluice/test/cluster/host"
	"github.com/sluice-gateway/sluice/test/cluster/plan"
)

// keeper is the process that a cluster lives in. It takes the cluster down when
// its standard input ends, which the kernel sees to when this program dies.
type keeper struct {
	cmd   *exec.Cmd
	stdin io.Closer
	once  sync.Once
	err   error
}

// startKeeper starts the process and waits until it says that it is ready.
func startKeeper(ctx context.Context, p plan.Plan, progress io.Writer) (*keeper, error) {
	lines, k, err := launch(p)
	if err != nil {
		return nil, err
	}
	defer lines.Close()
	stop := context.AfterFunc(ctx, func() { _ = k.cmd.Process.Signal(syscall.SIGTERM) })
	defer stop()
	problem := follow(lines, progress)
	if problem == nil {
		if p.Attached {
			return k, nil
		}
		return nil, nil //nolint:nilnil // A detached cluster is kept by nobody here.
	}
	return nil, errors.Join(ctx.Err(), problem, k.stop())
}

func launch(p plan.Plan) (io.ReadCloser, *keeper, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, nil, err
	}
	log, err := openLog(p)
	if err != nil {
		return nil, nil, err
	}
	defer log.Close()
	lines, progress, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer progress.Close()
	k := &keeper{cmd: exec.Command(p.Program("cluster"), "serve", string(text))} //nolint:gosec // Our own program.
	k.cmd.Dir, k.cmd.Stdout, k.cmd.Stderr = "/", log, log
	k.cmd.ExtraFiles = []*os.File{progress}
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if k.stdin, err = k.cmd.StdinPipe(); err != nil {
		return nil, nil, err
	}
	if err := k.cmd.Start(); err != nil {
		_ = lines.Close()
		return nil, nil, err
	}
	return lines, k, nil
}

// openLog makes the log of the process that keeps the cluster. It is beside the
// state, and there when that is gone.
func openLog(p plan.Plan) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(p.Dir), 0o750); err != nil {
		return nil, err
	}
	return os.Create(p.Dir + ".log")
}

// follow passes lines on until one says that the cluster is ready. Without that
// one, what followed the failure is the error.
func follow(lines io.Reader, progress io.Writer) error {
	var failure []string
	scanner := bufio.NewScanner(lines)
	for scanner.Scan() {
		line := scanner.Text()
		switch {
		case len(failure) > 0 || strings.HasPrefix(line, host.Failed):
			failure = append(failure, strings.TrimPrefix(line, host.Failed))
		case strings.HasSuffix(line, "  "+host.Ready):
			_, _ = fmt.Fprintln(progress, line)
			return nil
		default:
			_, _ = fmt.Fprintln(progress, line)
		}
	}
	if len(failure) == 0 {
		return errors.New("the process that keeps the cluster ended without a word")
	}
	return errors.New("booting the cluster: " + strings.Join(failure, "\n"))
}

// stop ends the process and waits for it.
func (k *keeper) stop() error {
	k.once.Do(func() {
		// For a detached one, whose end of input means nothing.
		_ = k.cmd.Process.Signal(syscall.SIGTERM)
		_ = k.stdin.Close()
		var exit *exec.ExitError
		// What failed was told as progress.
		if err := k.cmd.Wait(); !errors.As(err, &exit) {
			k.err = err
		}
	})
	return k.err
}
