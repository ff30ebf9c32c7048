//go:build unix

package main

import (
	"os"
	"syscall"
	"unsafe"
)

// columns is how wide a terminal is; 0 for what is none.
func columns(f *os.File) int {
	var size struct{ rows, columns, width, height uint16 }
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return 0
	}
	return int(size.columns)
}
