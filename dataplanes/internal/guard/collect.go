package guard

import (
	"os"
	"runtime/debug"
)

// growth is how much the heap may grow, in hundredths of what a collection has
// left, until the next one.
const growth = 300

// Collect has the collector run less often than Go does by itself, unless GOGC
// says how often. A collection holds requests up for milliseconds, and where the
// heap is as small as a proxy's there would be one several times a second. A bound
// on memory holds all the same.
func Collect() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(growth)
	}
}
