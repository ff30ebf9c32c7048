package envoy

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// filesName begins the name of each process's directory.
const filesName = "sluice-envoy"

// sweep removes the directories of processes whose program was killed before it
// could: they have a key in them.
func sweep(parent string) {
	dirs, _ := filepath.Glob(filepath.Join(parent, filesName+"[0-9]*"))
	for _, dir := range dirs {
		if (files{dir}).abandoned() {
			_ = os.RemoveAll(dir)
		}
	}
}

// abandoned reports whether nobody listens any more. What Envoy reads is written
// after the socket is open, so a directory that is being made is none.
func (f files) abandoned() bool {
	if _, err := os.Stat(f.bootstrap()); err != nil {
		return false
	}
	conn, err := net.Dial("unix", f.ads())
	if err == nil {
		_ = conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}
