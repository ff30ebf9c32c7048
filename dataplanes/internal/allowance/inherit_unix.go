//go:build unix

package allowance

import "syscall"

// Inherit has programs that are started from now on have as many descriptors as
// this one. Go gives them back the soft limit that this one was started with.
func Inherit() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		// Where it cannot be had, they go on with what there is.
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
}
