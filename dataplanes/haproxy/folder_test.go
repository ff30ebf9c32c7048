package haproxy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Folders of programs that were killed go; those of others, and those that are being
// made, stay.
func TestSweep(t *testing.T) {
	parent := t.TempDir()
	living, err := newFolder(parent)
	if err != nil {
		t.Fatal(err)
	}
	defer living.remove()
	killed, err := newFolder(parent)
	if err != nil {
		t.Fatal(err)
	}
	// As where the program is killed: nobody holds the lock.
	_ = killed.lock.Close()
	begun := filepath.Join(parent, folderName+"1")
	if err := os.Mkdir(begun, 0o700); err != nil {
		t.Fatal(err)
	}
	next, err := newFolder(parent)
	if err != nil {
		t.Fatal(err)
	}
	defer next.remove()
	for dir, stays := range map[string]bool{living.dir: true, begun: true, killed.dir: false} {
		if _, err := os.Stat(dir); (err == nil) != stays {
			t.Errorf("%s: there is %v, want it to stay: %v", dir, err, stays)
		}
	}
}

func TestAFolderThatCannotBeWrittenIsNamed(t *testing.T) {
	t.Setenv("TMPDIR", "/proc/none")
	_, err := newFolder("")
	if err == nil || !strings.Contains(err.Error(), "set TMPDIR to a folder that can be written") {
		t.Errorf("got %v", err)
	}
}
