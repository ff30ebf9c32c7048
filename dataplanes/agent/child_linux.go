package agent

import (
	"os"
	"syscall"
)

// dieWithUs ends the process when this one is killed: nobody else would.
func dieWithUs(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }

// setPipeSize is F_SETPIPE_SZ of fcntl(2), which the standard library does not name.
const setPipeSize = 1031

// widen gives a pipe room for several blocks. One that may not have it works as
// well, with more waits.
func widen(pipe *os.File) {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _, _, _ = syscall.Syscall(syscall.SYS_FCNTL, fd, setPipeSize, pipeSize) })
}
