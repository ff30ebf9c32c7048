package allowance

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMemory(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		want       int64
	}{
		"a bound":              {"memory.max", "1048576\n", 1 << 20},
		"none":                 {"memory.max", "max\n", 0},
		"nonsense":             {"memory.max", "-1\n", 0},
		"a bound of version 1": {"memory/memory.limit_in_bytes", "1048576\n", 1 << 20},
		"none of version 1":    {"memory/memory.limit_in_bytes", "9223372036854771712\n", 0},
		"no file":              {"other", "", 0},
	} {
		root := t.TempDir()
		path := filepath.Join(root, c.file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := Memory(root); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}
