package host

import "syscall"

// processAttr has a process killed when its worker dies, and puts it into a group of its own, so that a Ctrl-C for the worker
// does not reach it and its children end with it.
func processAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
