package agent

import "syscall"

// dieWithUs ends the process when this one is killed: nobody else would.
func dieWithUs(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
