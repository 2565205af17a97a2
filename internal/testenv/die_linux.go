package testenv

import "syscall"

// dieWithParent has a process told to end when the test process is killed.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGTERM }
