package main

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// dieWithParent has the command told to end when this process is killed.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGTERM }

// foreground reports whether stdin is a terminal that sends its Ctrl-C to this
// process's group.
func foreground() bool {
	group, err := unix.IoctlGetInt(int(os.Stdin.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
