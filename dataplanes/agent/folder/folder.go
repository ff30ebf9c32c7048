package folder

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/sluice-gateway/sluice/dataplanes/agent"
)

// Folder is where one process runs: its configuration, what that names, and its
// sockets. Only this user can enter it.
type Folder struct {
	Dir string
	// lock is held for as long as this program lives.
	lock *os.File
}

// Input says what a folder is for.
type Input struct {
	// In is the folder that it is made in; empty is that of temporary files.
	In string
	// Program is what people call it: "Envoy".
	Program string
	// Socket is the longest name of a socket in it.
	Socket string
}

// name begins the name of each folder of a program.
func (in *Input) name() string { return "sluice-" + strings.ToLower(in.Program) }

// longestPath is what the path of a socket may have.
const longestPath = 107

// lockName is the file by which others know that a folder's program lives.
const lockName = "lock"

// Make makes a folder, in /tmp where the path of another would be too long for a socket.
func Make(in Input) (*Folder, error) {
	remedy := "; set TMPDIR to a folder that can be written"
	if in.In != "" {
		remedy = ""
	}
	longest := longestPath - len("/"+in.Socket)
	for _, parent := range []string{cmp.Or(in.In, os.TempDir()), "/tmp"} {
		sweep(filepath.Join(parent, in.name()))
		dir, err := os.MkdirTemp(parent, in.name())
		if err != nil {
			return nil, fmt.Errorf("no private folder for %s can be made in %s (%w)%s", in.Program, parent, agent.Cause(err), remedy)
		}
		if dir, err = filepath.Abs(dir); err != nil {
			return nil, err
		}
		if len(dir) <= longest {
			return hold(dir)
		}
		_ = os.Remove(dir)
	}
	return nil, fmt.Errorf("no folder for %s has a path of at most %d bytes: set TMPDIR to a shorter one", in.Program, longest)
}

// hold locks a folder that was made just now. Its lock is held before it has its name:
// others that begin at the same time would sweep the folder away in between.
func hold(dir string) (*Folder, error) {
	lock, err := os.CreateTemp(dir, lockName)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, err
	}
	if err := os.Rename(lock.Name(), filepath.Join(dir, lockName)); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return &Folder{Dir: dir, lock: lock}, nil
}

// sweep removes the folders whose program was killed before it could: they have
// private keys in them. A folder without its lock is being made.
func sweep(names string) {
	dirs, _ := filepath.Glob(names + "[0-9]*")
	for _, dir := range dirs {
		lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(dir)
		}
		_ = lock.Close()
	}
}

// Path is that of a file in the folder.
func (f *Folder) Path(name string) string { return filepath.Join(f.Dir, name) }

// Write puts a file in the place of another at once, in the folders that its name
// says.
func (f *Folder) Write(name, content string) error {
	path := f.Path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Remove removes the folder with all that is in it.
func (f *Folder) Remove() {
	_ = os.RemoveAll(f.Dir)
	_ = f.lock.Close()
}
