package process

import "syscall"

// attributes keep a program from outliving a benchmark that was killed, and
// signals of the terminal from reaching it before the benchmark has read its
// last measures.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
