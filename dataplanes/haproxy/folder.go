package haproxy

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/sluice-gateway/sluice/dataplanes/agent"
)

// folder is where one HAProxy runs: its configuration, what that names, and its
// sockets. Only this user can enter it.
type folder struct {
	dir string
	// lock is held for as long as this program lives.
	lock *os.File
}

// folderName begins the name of each folder.
const folderName = "sluice-haproxy"

// lockName is the file by which others know that a folder's program lives.
const lockName = "lock"

// longestDir leaves room for the name under which HAProxy makes a socket, which has
// 107 bytes with its path where others are to reach it.
const longestDir = 107 - len("/master.sock.4194304.tmp")

// newFolder makes a folder in another (that of temporary files, where none is given),
// or in /tmp where that path is too long for a socket.
func newFolder(in string) (*folder, error) {
	remedy := "; set TMPDIR to a folder that can be written"
	if in != "" {
		remedy = ""
	}
	for _, parent := range []string{cmp.Or(in, os.TempDir()), "/tmp"} {
		sweep(parent)
		dir, err := os.MkdirTemp(parent, folderName)
		if err != nil {
			return nil, fmt.Errorf("no private folder for HAProxy can be made in %s (%w)%s", parent, agent.Cause(err), remedy)
		}
		if dir, err = filepath.Abs(dir); err != nil {
			return nil, err
		}
		if len(dir) <= longestDir {
			return hold(dir)
		}
		_ = os.Remove(dir)
	}
	return nil, fmt.Errorf("no folder for HAProxy has a path of at most %d bytes: set TMPDIR to a shorter one", longestDir)
}

// hold locks a folder that was made just now. Its lock is held before it has its name:
// others that begin at the same time would sweep the folder away in between.
func hold(dir string) (*folder, error) {
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
	return &folder{dir: dir, lock: lock}, nil
}

// sweep removes the folders whose program was killed before it could: they have
// private keys in them. A folder without its lock is being made.
func sweep(parent string) {
	dirs, _ := filepath.Glob(filepath.Join(parent, folderName+"[0-9]*"))
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

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

// write puts a file in the place of another at once, in the folders that its name
// says.
func (f *folder) write(name, content string) error {
	path := f.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (f *folder) remove() {
	_ = os.RemoveAll(f.dir)
	_ = f.lock.Close()
}
