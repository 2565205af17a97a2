//go:build unix && !linux

package host

import "syscall"

// processAttr puts a process into a group of its own. Without a parent-death signal it watches its stdin for the worker's end.
func processAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
