package process

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func entry(name string, parent int, times string) string {
	return fmt.Sprintf("1 (%s) S %d 1 1 0 -1 4194560 100 0 0 0 %s 20 0 1 0 100 1000 100", name, parent, times)
}

func TestReadSumsTheTree(t *testing.T) {
	proc := fstest.MapFS{
		"10/stat":   {Data: []byte(entry("master", 1, "5 6 7 8"))},
		"10/status": {Data: []byte("Name:\tmaster\nVmRSS:\t    100 kB\n")},
		"11/stat":   {Data: []byte(entry("a) b (c", 10, "100 20 0 0"))},
		"11/status": {Data: []byte("VmRSS:\t    20 kB\n")},
		"12/stat":   {Data: []byte(entry("grandchild", 11, "1 0 0 0"))},
		"12/status": {Data: []byte("State:\tZ\n")},
		"99/stat":   {Data: []byte(entry("somebody else", 1, "9999 0 0 0"))},
		"version":   {Data: []byte("not a process")},
	}
	got, err := Read(proc, 10)
	want := Usage{CPU: 147 * 10 * time.Millisecond, RSS: 120 << 10}
	if err != nil || got != want {
		t.Errorf("Read = %+v, %v; want %+v", got, err, want)
	}
	if _, err := Read(proc, 13); err == nil {
		t.Error("a process that is not there has a usage")
	}
}

func TestReadEndsWhereParentsAreACircle(t *testing.T) {
	proc := fstest.MapFS{
		"2/stat": {Data: []byte(entry("x", 3, "1 0 0 0"))},
		"3/stat": {Data: []byte(entry("y", 2, "1 0 0 0"))},
		"4/stat": {Data: []byte(entry("z", 1, "7 0 0 0"))},
	}
	if got, err := Read(proc, 4); err != nil || got.CPU != 70*time.Millisecond {
		t.Errorf("Read = %+v, %v", got, err)
	}
}

func TestParseStatRefuses(t *testing.T) {
	for _, bad := range []string{"", "1 (x", "1 (x) S 1 2", entry("x", 1, "a 0 0 0")} {
		if _, err := parseStat(bad); err == nil {
			t.Errorf("parseStat(%q) has no error", bad)
		}
	}
}

func TestReadThisProcess(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc here")
	}
	got, err := Read(os.DirFS("/proc"), os.Getpid())
	if err != nil || got.RSS < 1<<20 {
		t.Errorf("Read(this process) = %+v, %v; want over 1 MiB", got, err)
	}
}

func TestIdle(t *testing.T) {
	got, err := Idle("cpu  10 0 10 60 20 0 0 0 5 0\ncpu0 1", "cpu  20 0 20 120 40 0 0 0 9 0\n")
	if err != nil || got != 0.8 {
		t.Errorf("Idle = %v, %v; want 0.8", got, err)
	}
	if _, err := Idle("intr 1", "cpu 1 2 3 4 5 6 7 8"); err == nil || !strings.Contains(err.Error(), "intr") {
		t.Errorf("Idle of what is no /proc/stat: %v", err)
	}
}
