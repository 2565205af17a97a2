//go:build unix && !linux

package main

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// dieWithParent does nothing: this system has no such thing.
func dieWithParent(*syscall.SysProcAttr) {}

// foreground reports whether stdin is a terminal that sends its Ctrl-C to this
// process's group.
func foreground() bool {
	group, err := unix.IoctlGetInt(int(os.Stdin.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
