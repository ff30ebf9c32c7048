package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/sluice-gateway/sluice/test/cluster/plan"
)

// ErrRuns is why a cluster cannot start: there is one.
var ErrRuns = errors.New("a test cluster runs on this machine already: stop it with `make cluster-down`, or wait until its test has ended")

// Acquire takes the machine's one place for a cluster. The kernel gives it back
// when the process ends, however it does.
func Acquire() (*os.File, error) {
	if err := os.MkdirAll(plan.Run, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(plan.Lock(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, ErrRuns
	}
	return lock, nil
}

// Free fails with ErrRuns where a cluster runs.
func Free() error {
	lock, err := Acquire()
	if err != nil {
		return err
	}
	return lock.Close()
}

// Clean removes what a cluster has left, or is about to leave: links, cgroups,
// folders, state. Its processes have ended: the kernel ends them with the
// process that had the lock. The caller has the lock now.
func Clean() error {
	for i := 1; i <= plan.MaxNodes; i++ {
		unplug(i)
	}
	if _, err := os.Stat("/sys/class/net/" + plan.Bridge); err == nil {
		if err := ip("link", "del", plan.Bridge); err != nil {
			return err
		}
	}
	for i := 1; i <= plan.MaxNodes; i++ {
		if err := removeCgroup(i); err != nil {
			return fmt.Errorf("a node's cgroup is not empty: %w", err)
		}
	}
	if err := removeState(); err != nil {
		return err
	}
	removeMade()
	return errors.Join(remove(plan.Socket()), remove(plan.Current()), remove(plan.PID()), remove(made()))
}

func removeState() error {
	p, err := plan.Read(plan.Current())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.RemoveAll(p.Dir)
}

// made is the list of folders of the host that were made for nodes.
func made() string { return filepath.Join(plan.Run, "made.json") }

func writeMade(dirs []string) error {
	data, err := json.Marshal(dirs)
	if err != nil {
		return err
	}
	return os.WriteFile(made(), data, 0o600)
}

// removeMade removes those folders, where they are empty: what somebody else has
// put there in the meantime stays.
func removeMade() {
	var dirs []string
	data, err := os.ReadFile(made())
	if err != nil || json.Unmarshal(data, &dirs) != nil {
		return
	}
	for range dirs {
		for _, dir := range dirs {
			_ = syscall.Rmdir(dir)
		}
	}
}

func remove(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
