package envoy

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
)

// place makes the directory of a process as far as it is wanted.
func place(t *testing.T, parent string, number int, written bool) (files, *net.UnixListener) {
	t.Helper()
	f := files{fmt.Sprint(parent, "/", filesName, number)}
	if err := os.Mkdir(f.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: f.ads()})
	if err != nil {
		t.Fatal(err)
	}
	// As where the program is killed.
	l.SetUnlinkOnClose(false)
	t.Cleanup(func() { _ = l.Close() })
	if written {
		if err := os.WriteFile(f.bootstrap(), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f, l
}

func TestSweep(t *testing.T) {
	parent := t.TempDir()
	living, _ := place(t, parent, 1, true)
	begun, listener := place(t, parent, 2, false)
	_ = listener.Close()
	killed, listener := place(t, parent, 3, true)
	_ = listener.Close()
	if _, err := newFiles(parent); err != nil {
		t.Fatal(err)
	}
	for f, stays := range map[files]bool{living: true, begun: true, killed: false} {
		if _, err := os.Stat(f.dir); (err == nil) != stays {
			t.Errorf("%+v: there is %v, want it to stay: %v", f, err, stays)
		}
	}
}

func TestADirectoryThatCannotBeWrittenIsNamed(t *testing.T) {
	t.Setenv("TMPDIR", "/proc/none")
	_, err := newFiles("")
	if err == nil || !strings.Contains(err.Error(), "set TMPDIR to a folder that can be written") {
		t.Errorf("got %v", err)
	}
}
