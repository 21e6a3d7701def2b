package system

import "syscall"

// childAttributes make a process that does not outlive the tests.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
