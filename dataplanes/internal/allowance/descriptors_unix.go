//go:build unix

package allowance

import "syscall"

// Descriptors is how many the process may have open; 0 is unknown. Go raises the
// soft limit to the hard one when a program starts.
func Descriptors() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return uint64(limit.Cur) //nolint:unconvert // It is signed on some systems.
}
