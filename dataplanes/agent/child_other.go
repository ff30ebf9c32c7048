//go:build !linux

package agent

import "syscall"

// dieWithUs is known to Linux alone.
func dieWithUs(*syscall.SysProcAttr) {}
