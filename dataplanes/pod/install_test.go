package pod_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-gateway/sluice/dataplanes/pod"
)

// TestInstall: the copy is the program that runs, for every user to run, and it
// takes the place of what was there without touching that.
func TestInstall(t *testing.T) {
	dir := t.TempDir()
	to := filepath.Join(dir, "sluice-proxy")
	if err := os.WriteFile(to, []byte("an older one"), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	log := &lines{}
	if code := pod.Main(t.Context(), []string{"install", "--to", dir}, pod.Streams{Out: io.Discard, Err: log}); code != 0 {
		t.Fatalf("%d: %s", code, log)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(to); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the copy has %d bytes, the program %d; %v", len(got), len(want), err)
	}
	if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	if text, err := io.ReadAll(before); err != nil || string(text) != "an older one" {
		t.Errorf("who runs the older one has %q, %v", text, err)
	}
	if all, err := os.ReadDir(dir); err != nil || len(all) != 1 {
		t.Errorf("there are %v, %v: want the program alone", all, err)
	}
}
