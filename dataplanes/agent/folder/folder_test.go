package folder

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Folders of programs that were killed go; those of others, and those that are being
// made, stay.
func TestSweep(t *testing.T) {
	parent := t.TempDir()
	living, err := Make(Input{In: parent, Program: "Proxy"})
	if err != nil {
		t.Fatal(err)
	}
	defer living.Remove()
	killed, err := Make(Input{In: parent, Program: "Proxy"})
	if err != nil {
		t.Fatal(err)
	}
	// As where the program is killed: nobody holds the lock.
	_ = killed.lock.Close()
	begun := filepath.Join(parent, "sluice-proxy1")
	if err := os.Mkdir(begun, 0o700); err != nil {
		t.Fatal(err)
	}
	next, err := Make(Input{In: parent, Program: "Proxy"})
	if err != nil {
		t.Fatal(err)
	}
	defer next.Remove()
	for dir, stays := range map[string]bool{living.Dir: true, begun: true, killed.Dir: false} {
		if _, err := os.Stat(dir); (err == nil) != stays {
			t.Errorf("%s: there is %v, want it to stay: %v", dir, err, stays)
		}
	}
}

// The words are the same each time that it is tried: they are a status, and nobody
// is to be told of it again.
func TestAFolderThatCannotBeWrittenIsNamed(t *testing.T) {
	for _, parent := range []string{"/proc", "/proc/none"} {
		t.Setenv("TMPDIR", parent)
		_, err := Make(Input{Program: "Proxy"})
		_, again := Make(Input{Program: "Proxy"})
		if err == nil || !strings.Contains(err.Error(), "in "+parent+" (") || !strings.HasSuffix(err.Error(), "set TMPDIR to a folder that can be written") {
			t.Fatalf("got %v", err)
		}
		if err.Error() != again.Error() {
			t.Errorf("got %v, and then %v", err, again)
		}
	}
}

// Those who begin at once do not take one another's folders for what was left behind.
func TestFoldersThatAreMadeAtOnce(t *testing.T) {
	parent := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				made, err := Make(Input{In: parent, Program: "Proxy"})
				if err != nil {
					t.Error(err)
					return
				}
				if err := made.Write("file", ""); err != nil {
					t.Error(err)
				}
				if _, err := os.Stat(made.Path(lockName)); err != nil {
					t.Error(err)
				}
				made.Remove()
			}
		})
	}
	all.Wait()
}
