//go:build unix

package relay

import (
	"errors"
	"runtime"
	"syscall"
)

// kernelSplices says whether net.TCPConn splices.
const kernelSplices = runtime.GOOS == "linux"

// isNotConnected says whether a connection had ended before it was shut down.
func isNotConnected(err error) bool { return errors.Is(err, syscall.ENOTCONN) }

// brokenWrite says whether an error can only be of the side that is written to.
func brokenWrite(err error) bool { return errors.Is(err, syscall.EPIPE) }
