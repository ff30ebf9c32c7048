package allowance

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// System is the root of the tree of control groups.
const System = "/sys/fs/cgroup"

// Memory is the bound of the control group that the process sees as the root of a
// tree, as one in a container does, in bytes; 0 is none.
func Memory(root string) int64 {
	for _, file := range []string{"memory.max", "memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			continue
		}
		// "max" is no number, and the first version writes no bound as one that no
		// machine has.
		const noBound = 1 << 60
		n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err == nil && n > 0 && n < noBound {
			return n
		}
	}
	return 0
}
